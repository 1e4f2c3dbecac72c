"""Each supported pipeline class, wrapped: the same claims for all, on tiny pipelines.

`oracle.py` shares no code with the engine. `conformance.py` writes what comes out here into the table that
`counterpoint families` prints.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from claims import claim
from oracle import denoiser, distance, oracle
from PIL import Image
from torch import Generator

from counterpoint.detectors.concept_similarity import ConceptSimilarity
from counterpoint.engines import fused
from counterpoint.families import family_of
from counterpoint.families.unsupported import UNSUPPORTED
from counterpoint.interfaces import Detection, InvalidInput, SafeText, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
NUM_STEPS = 4
HALF = MixingSchedule(weight=0.6, tau=0.5)
START = Image.effect_noise((32, 32), 60).convert("RGB")
CONTROL = Image.linear_gradient("L").resize((32, 32)).convert("RGB")
MASK = Image.new("L", (32, 32), 0)
MASK.paste(255, (0, 0, 16, 32))
Build = Callable[[str], Any]


def knife_gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in prompt, score=0.5) for prompt in prompts]


def drop_knife(prompt: str, detection: Detection) -> SafeText:
    return SafeText(prompt=prompt.replace(" with a knife", ""))


def guard(pipe: Any, **options: Any) -> SafePipeline:
    return SafePipeline(pipe, **{"detector": knife_gate, "embedding": drop_knife, "reuse": 1, **options})


def arguments(name: str) -> dict[str, Any]:
    """Arguments of a short call on small latents."""
    call: dict[str, Any] = {"num_inference_steps": NUM_STEPS, "output_type": "latent", "height": 32, "width": 32}
    call |= {"use_resolution_binning": False, **pictures(name)}
    if name.startswith("IF"):
        call |= {"output_type": "pt"}  # it draws pixels
    if "Sprint" in name:
        call |= {"intermediate_timesteps": None}  # else it takes two steps
    if name in ("WanPipeline", "LTXPipeline"):
        call |= {"num_frames": 9}
    if "Flux2" in name:
        call |= {"text_encoder_out_layers": (1,)}
    if "QwenImage" in name:
        call |= {"negative_prompt": "snow", "true_cfg_scale": 4.0}  # without one there is no guidance
    if "Ideogram4" in name:
        call |= {"guidance_scale": 7.0, "guidance_schedule": None}  # the one of the class is for 48 steps
        call |= {"max_sequence_length": 256}  # every text is padded to it
    taken = inspect.signature(getattr(diffusers, name).__call__).parameters
    return {key: value for key, value in call.items() if key in taken}


def pictures(name: str) -> dict[str, Any]:
    """The pictures that a class starts from or is controlled by, as far as it takes them."""
    given: dict[str, Any] = {}
    if any(word in name for word in ("Img2Img", "Inpaint", "Depth2Img", "Fill")):
        given = {"image": START, "mask_image": MASK, "strength": 1.0}
    elif "ControlNet" in name or "Adapter" in name:
        given = {"image": CONTROL}
    if "Control" in name:
        given |= {"control_image": CONTROL, "control_mask": MASK}
    if "UnCLIP" in name:
        given = {"image_embeds": torch.linspace(-1.0, 1.0, 32).reshape(1, 32)}
    if "Union" in name:
        given |= {"control_image": [CONTROL], "control_mode": [0]}
    if "Depth2Img" in name:
        given |= {"depth_map": torch.linspace(0.0, 1.0, 1024).reshape(1, 32, 32)}
    return given


def for_two_prompts(name: str) -> dict[str, Any]:
    """What of these arguments is given once a prompt, for two."""
    each = {key: [value] * 2 for key, value in arguments(name).items() if isinstance(value, Image.Image)}
    if "UnCLIP" in name:
        each["image_embeds"] = pictures(name)["image_embeds"].repeat(2, 1)
    return each | ({"negative_prompt": ["snow", "snow"]} if "QwenImage" in name else {})


def extra_rows(name: str) -> int:
    """Rows more than the plain pipeline's that a picture takes at a mixed step."""
    if "PAG" in name:
        return 3  # attention splits the batch in three: the whole of it runs again
    # the empty text is as long as the prompt, so that it differs, too
    if name in ("LuminaPipeline", "Kandinsky3Pipeline", "Kandinsky3Img2ImgPipeline", "BriaFiboPipeline"):
        return 2
    # the negative prompt's call is given what the ControlNet made of the prompt, so that it is mixed, too
    return 2 if name.startswith("QwenImageControlNet") else 1


def run(pipe: Any, name: str, prompt: Any, **more: Any) -> Any:
    """Call a pipeline, wrapped or not; (latents, the whole output)."""
    prompt = prompt if isinstance(prompt, str) else list(prompt)  # Z-Image writes into its list
    torch.manual_seed(0)  # CogView 4 encodes its control picture with the global generator
    output = pipe(prompt=prompt, **{"generator": Generator().manual_seed(0), **arguments(name), **more})
    return output[0], output


def processors(pipe: Any) -> dict[str, Any]:
    """The denoiser's attention processors, by name."""
    return dict(getattr(denoiser(pipe), "attn_processors", {}))


@claim("a harmless call is the plain one, bit for bit; so is any call at safety 0")
def test_a_harmless_call_and_safety_zero_are_the_plain_pipeline_bit_for_bit(build: Build, name: str) -> None:
    pipe = build(name)
    safe = guard(pipe)
    for prompt, safety in ((BENIGN, 1.0), (UNSAFE, 0.0)):
        plain, _ = run(pipe, name, prompt)
        latents, output = run(safe, name, prompt, safety=safety)
        assert torch.equal(latents, plain)
        assert [report.action for report in output.safety] == ["passed"]


@claim("at full weight an unsafe prompt draws the plain picture of the safe prompt, at the plain cost")
def test_full_weight_from_the_start_is_the_plain_pipeline_on_the_safe_prompt(build: Build, name: str) -> None:
    pipe = build(name)
    original, plain = run(pipe, name, UNSAFE)[0], run(pipe, name, SAFE)[0]
    latents, output = run(guard(pipe), name, UNSAFE, safety="max")
    assert distance(latents, plain) <= 1e-3 * distance(original, plain)
    cost = output.safety[0].cost
    assert output.safety[0].action == "steered" and output.safety[0].steps_mixed == NUM_STEPS
    assert 0 < cost.denoiser_rows == cost.plain_rows  # the safe row takes the place of the prompt's


@claim("between both ends each step is mixed as the equation says, computed without the engine")
def test_mixed_predictions_are_the_oracles(build: Build, name: str) -> None:
    pipe = build(name)
    expected = oracle(pipe, lambda prompt: run(pipe, name, prompt)[0], UNSAFE, SAFE, HALF, NUM_STEPS)
    plain, _ = run(pipe, name, UNSAFE)
    latents, output = run(guard(pipe, schedule=HALF), name, UNSAFE)
    assert distance(latents, expected) <= 5e-3 * distance(plain, expected)
    report = output.safety[0]
    assert (report.steps_mixed, report.tau, report.weight) == (2, 0.5, 0.6)
    assert report.cost.denoiser_rows == report.cost.plain_rows + 2 * extra_rows(name)  # at each of two steps
    assert torch.equal(run(pipe, name, UNSAFE)[0], plain)  # nothing is left behind


@claim("in a list only the unsafe prompt is steered; the others are plain, bit for bit")
def test_only_the_engaged_picture_of_a_list_is_steered(build: Build, name: str) -> None:
    pipe, prompts, more = build(name), [BENIGN, UNSAFE], for_two_prompts(name)
    plain, _ = run(pipe, name, prompts, **more)
    for schedule in (HALF, MixingSchedule(weight=1.0)):
        latents, output = run(guard(pipe, schedule=schedule), name, prompts, **more)
        assert torch.equal(latents[0], plain[0]) and not torch.equal(latents[1], plain[1])
        assert [report.action for report in output.safety] == ["passed", "steered"]
        assert output.safety[0].cost.denoiser_rows == output.safety[0].cost.plain_rows


@claim("several pictures of a prompt are steered together")
def test_several_pictures_of_a_prompt_are_steered_together(build: Build, name: str) -> None:
    """Picture i of the result belongs to prompt i // 2, in the engine as in the pipeline."""
    pipe = build(name)
    more = {**for_two_prompts(name), family_of(pipe).num_per_prompt: 2, "num_inference_steps": 2}
    if name == "ZImageControlNetInpaintPipeline":
        more["mask_image"] = [MASK] * 4  # it repeats the pictures that it is given, but no mask
    if "Cosmos2" in name:
        more["num_inference_steps"] = NUM_STEPS  # its last step changes nothing
    plain, _ = run(pipe, name, [BENIGN, UNSAFE], **more)
    latents, output = run(guard(pipe, schedule=HALF), name, [BENIGN, UNSAFE], **more)
    assert [report.action for report in output.safety] == ["passed", "passed", "steered", "steered"]
    assert torch.equal(latents[:2], plain[:2])
    assert not torch.equal(latents[2], plain[2]) and not torch.equal(latents[3], plain[3])


@claim("a safe stream that does not run is an error, not a picture, and leaves nothing behind")
def test_a_safe_stream_that_does_not_run_returns_no_picture_and_leaves_no_hook(
    build: Build, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = build(name)
    before = processors(pipe)
    monkeypatch.setattr(fused.Conditioning, "find", lambda self, arguments: [])
    with pytest.raises(SafetyFailure, match="did not run at step 2"):
        run(guard(pipe, schedule=HALF), name, UNSAFE)
    assert processors(pipe) == before
    assert not denoiser(pipe)._forward_hooks and not denoiser(pipe)._forward_pre_hooks
    assert "step" not in vars(pipe.scheduler)


@claim("the gate reads with the pipeline's own encoder, and a prompt longer than it reads is refused")
def test_the_gate_reads_with_the_pipelines_own_encoder(build: Build, name: str) -> None:
    safe = guard(build(name))
    gate = ConceptSimilarity(safe.text, threshold=0.999)
    engaged, passed = gate([UNSAFE, "zzz"])
    assert engaged.evidence == ("knife",) and not passed.is_unsafe
    with pytest.raises(InvalidInput, match="tokens"):
        run(safe, name, "cat " * 600)


@claim("text that the gate cannot read is refused: embeddings, prompts for a second encoder")
def test_text_that_the_gate_cannot_read_is_refused(build: Build, name: str) -> None:
    pipe = build(name)
    own = family_of(pipe).own_arguments(type(pipe))
    assert own >= {name for name in inspect.signature(type(pipe).__call__).parameters if "prompt_embeds" in name}
    for argument in sorted(own):
        with pytest.raises(InvalidInput, match=argument):
            run(guard(pipe), name, BENIGN, **{argument: "a knife"})


@claim("the reference engine runs where the table says so, and draws what the fused one does")
def test_the_reference_engine_runs_where_the_table_says_so(build: Build, name: str) -> None:
    pipe = build(name)
    if "reference" in family_of(pipe).engines([name]):
        fused_latents, _ = run(guard(pipe, schedule=HALF), name, UNSAFE)
        latents, _ = run(guard(pipe, schedule=HALF, engine="reference"), name, UNSAFE)
        assert distance(latents, fused_latents) <= 1e-4
    else:
        for options in ({"engine": "reference"}, {"coupling": "parallel"}):
            with pytest.raises(InvalidInput, match="fused engine only"):
                guard(pipe, **options)


@claim("each picture comes decoded, with one report")
def test_decoded_pictures_come_with_one_report_each(build: Build, name: str) -> None:
    safe = guard(build(name))
    _, output = run(safe, name, UNSAFE, output_type="pil", num_inference_steps=2)
    assert len(getattr(output, safe.family.output)) == len(output.safety) == 1
    assert output.safety[0].action == "steered"


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_other_pipelines_are_refused_with_the_reason(name: str) -> None:
    cls = getattr(diffusers, name)
    with pytest.raises(InvalidInput) as caught:
        SafePipeline(cls.__new__(cls))
    assert UNSUPPORTED[name] in str(caught.value)


def test_a_class_that_no_family_names_is_refused() -> None:
    with pytest.raises(InvalidInput, match="StableDiffusionXLPipeline"):
        SafePipeline(diffusers.DDPMPipeline.__new__(diffusers.DDPMPipeline))


def test_a_pipeline_without_its_text_encoder_is_refused(build: Build) -> None:
    pipe = build("StableDiffusionXLPipeline")
    pipe.tokenizer = pipe.tokenizer_2 = None
    with pytest.raises(InvalidInput, match="the gate has to read"):
        guard(pipe)
