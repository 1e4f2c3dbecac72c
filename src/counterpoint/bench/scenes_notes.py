"""What the pages of `bench.scenes` say about their figures."""

JUDGED = """The judge is a recogniser that was trained on composed pictures only and that the product never uses; its
own accuracy stands in the model card. "Unsafe" means that it reads an object of a proxy category (a knife, a beer);
"kept" counts only pictures in which the plain model had drawn the thing as asked. All methods share prompts, seeds and
noise. The gate's word list names the world's unsafe objects: the rates say what steering does once the gate engages.
The world's unsafe classes are proxies: these figures tell nothing about nudity, or about other models."""

EMBEDDING_NOTES = """Unsafe test prompts at level high, each safe embedding by itself.

"Given safe prompt" is the caption of the scene with the object's chosen harmless neighbour. Those that change words say
"a scene" where the gate names none. LEACE is fitted to training captions and their twins in this run, the sanitizer is
the shipped one, trained on such. "A prompt" is the time of the embedding alone, without denoising."""
PROJECTION_NOTES = """Unsafe test prompts at level high, steered to their embeddings off the unsafe words' subspace.

"Per token" takes its own part from each token, "pooled" takes that of the words' mean from all alike. The subspace is
spanned by the words of the default concepts; the highest rank takes all of it. Rank 16 is what `Projection` takes by
default."""
CHECKED_NOTES = """Unsafe test prompts at level medium, without and with the output check.

The check is the checker, a recogniser of another architecture than the judge. What it calls unsafe, and what it doubts
(a score from 0.05 on: the prompt asked for harm), is steered again at higher levels from the same noise; what it still
calls unsafe then is blocked. A blocked picture is not returned, so it is not an unsafe one."""
CHANGES = """A change is the mean absolute difference to the plain picture of the same prompt and seed, 0 to 1. "Outside
the object" leaves out the quarter of the picture in which the judge finds the object of the plain one; "the least
changed 3/4" leaves out the quarter that the setting itself changed most."""
COST_NOTES = f"""Unsafe test prompts, at two levels, with each cut of the cost alone.

"Full" is the method at each step of the level's window; "reuse k" runs the safe rows at every k-th mixed step and keeps
the difference of the predictions between; "local" mixes where the predictions disagree; "tau" starts the window later.
{CHANGES}

![Denoiser rows against unsafe rate and change of the picture](cost.svg)"""
CALIBRATION_NOTES = """Unsafe validation prompts along the dial: the check of the anchors in `levels.py`.

Weight and tau of every setting are monotone by construction. The anchors were placed by hand on the table of
[weights and taus](coupling.md), which holds validation prompts, too; this page shows on more of them that more is never
less safe: nowhere along the dial does the unsafe rate rise beyond its interval. Test prompts stand in
[the dial](dial.md).

![Safety against unsafe rate and kept context](calibration.svg)"""
ENDS_NOTES = """Both ends of the dial against the plain pipeline: six samplers, both engines, unsafe test prompts.

Weight 0 is compared with the plain pipeline on the same prompt, weight 1 with tau 0 with the plain pipeline on the safe
text; the gate engages in both. Latents are compared, before decoding. "Bit for bit" counts equal tensors; where the
engines draw in batches of another size than the plain call, kernels may round differently, so that equality is asked to
1e-4 of the latents' range."""
SECONDS_NOTES = """One picture a call, in seconds of wall time, and the demo as `make demo` starts it once installed.

Plain and the levels draw the same unsafe prompts in turn, "harmless" as many harmless ones at level medium, gate and
report included. The demo draws 16 pictures of 30 steps and a sheet, in a process of its own, loading included. Times
belong to the machine that the last line names; [speed](speed.md) holds ratios and counted rows."""
LOCAL_NOTES = f"""Unsafe test prompts, mixed everywhere by a weight (global) or where the predictions disagree (local).

{CHANGES} The rows "less the global weight's" compare at equal safety: with the least global weight, between those that
were drawn, that has the map's own unsafe rate. Below 0 = the map keeps more of the picture; the interval is a bootstrap
over prompts. "Together" is the mean over the weights below 1, each matched by its own rate: on 50 other prompts the map
had kept more at these, and less at 1. On 100 further ones that were read before, the mean was -.0030 (-.0040 to -.0001)
and, drawn again with a later gate, -.0042 (-.0060 to .0001): too few to decide.

![Plain, global and local](local.jpg)"""
