"""What the gate costs: milliseconds a prompt, each member's share, and against the seconds of a plain picture.

    python -m counterpoint.bench.gate_cost --out docs/results/gate-cost.json
    python -m counterpoint.bench.gate_cost --captions coco_3k_val.csv --out docs/results/gate-cost.json

Each round draws one picture and then gives the gate one prompt of each kind, so that a busy machine is busy
for both, and the gate finds the caches as a picture leaves them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionPipeline

from counterpoint.bench.cases import scenes_cases
from counterpoint.bench.progress import progress
from counterpoint.bench.speed import Taken, ratio
from counterpoint.datasets import coco
from counterpoint.detectors.ensemble import Ensemble
from counterpoint.embedded import GUIDANCE_SCALE, embedded_model_path
from counterpoint.gate import standard_gate
from counterpoint.interfaces import Detection, Detector
from counterpoint.metrics.statistics import mean_figure, median_figure
from counterpoint.results import Figure, write_results
from counterpoint.text_space import StableDiffusionText

WHOLE = "the whole gate"
CALLS = 5
"""Calls with all prompts at once."""
CLOCKS: tuple[tuple[str, Callable[[Taken], float]], ...] = (
    ("wall", lambda taken: taken.seconds),
    ("CPU", lambda taken: taken.cpu_seconds),
)
NOTES = """The standard gate of the embedded model, asked about one prompt a call, and the plain picture that it stands
before. Scenes are captions of the scenes world's test split, unsafe and harmless in turn; captions are those of the
file that the command names. No prompt comes twice, but words do, of which the gate remembers some. A median has the
interval of its order statistics, a mean that of a bootstrap; a ratio is the median over the rounds. CPU
time leaves out the time in which other programs had the processor, and sums up over threads. "All prompts in one call"
is what a batch tool reaches, in prompts a second."""


@dataclass
class Timed:
    """A detector, and what each of its calls took."""

    detector: Detector
    taken: list[Taken] = field(default_factory=list)

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return its verdicts."""
        wall, cpu = time.perf_counter(), time.process_time()
        verdicts = self.detector(prompts)
        self.taken.append(Taken(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu))
        return verdicts


class TimedGate:
    """The standard gate, timed as a whole and by member."""

    def __init__(self, pipe: Any) -> None:
        self.members = [Timed(member) for member in standard_gate(StableDiffusionText(pipe)).detectors]
        self.whole = Timed(Ensemble(*self.members))
        self.whole(["a lantern in a garden"])  # the first call makes tables that later ones find
        for timed in (self.whole, *self.members):
            timed.taken.clear()

    @property
    def parts(self) -> dict[str, list[Taken]]:
        """What each call took: the whole, then each member by its class."""
        return {WHOLE: self.whole.taken, **{type(m.detector).__name__: m.taken for m in self.members}}


def measure(pipe: Any, prompts: Mapping[str, Sequence[str]], *, steps: int) -> dict[str, Figure]:
    """Draw and judge in turn, at torch's present number of threads.

    Args:
        pipe: The embedded model.
        prompts: By kind, equally many of each.
        steps: Denoising steps of a picture.
    """
    gates = {kind: TimedGate(pipe) for kind in prompts}
    together = {kind: _prompts_a_second(pipe, texts) for kind, texts in prompts.items()}
    pictures: list[Taken] = []
    rounds = list(zip(*prompts.values(), strict=True))
    _picture(pipe, rounds[0][0], steps)  # the first picture is not counted
    with progress("gate cost", len(rounds)) as bar:
        for texts in rounds:
            pictures.append(_picture(pipe, texts[0], steps))
            for gate, prompt in zip(gates.values(), texts, strict=True):
                gate.whole([prompt])
            bar.advance()
    figures = _times("one plain picture", pictures, 1.0, "s")
    for kind, gate in gates.items():
        for name, taken in gate.parts.items():
            figures |= _times(f"{kind}: {name}", taken, 1000.0, "ms")
        for clock, read in CLOCKS:
            figures[f"{kind}: {WHOLE}, {clock}, of one picture"] = ratio(
                [*map(read, gate.whole.taken)], [*map(read, pictures)]
            )
        figures[f"{kind}: {WHOLE}, all prompts in one call"] = together[kind]
    return figures


def _prompts_a_second(pipe: Any, prompts: Sequence[str]) -> Figure:
    """Time `CALLS` calls, each of a gate that has seen no word yet."""
    rates = []
    for _ in range(CALLS):
        gate = TimedGate(pipe).whole
        gate(list(prompts))
        rates.append(len(prompts) / gate.taken[0].seconds)
    return median_figure(rates, "1/s")


def _picture(pipe: Any, prompt: str, steps: int) -> Taken:
    generator = torch.Generator("cpu").manual_seed(0)
    wall, cpu = time.perf_counter(), time.process_time()
    pipe(prompt, num_inference_steps=steps, guidance_scale=GUIDANCE_SCALE, generator=generator)
    return Taken(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu)


def _times(name: str, taken: Sequence[Taken], scale: float, unit: str) -> dict[str, Figure]:
    figures = {}
    for clock, read in CLOCKS:
        values = [scale * read(one) for one in taken]
        figures[f"{name}, {clock}, median"] = median_figure(values, unit)
        figures[f"{name}, {clock}, mean"] = mean_figure(values, [str(number) for number in range(len(values))], unit)
    return figures


def prompts_by_kind(count: int, captions: Path | None) -> dict[str, list[str]]:
    """Return `count` prompts of each kind.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    half = -(-count // 2)
    sides = [scenes_cases(kind, split="test", count=half) for kind in ("unsafe", "benign")]
    kinds = {"scenes": [case.prompt for pair in zip(*sides, strict=True) for case in pair][:count]}
    if captions is not None:
        kinds["captions"] = [row.prompt for row in coco.load(coco.Options(path=str(captions)), count).rows]
    return kinds


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print the page."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.bench.gate_cost", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    parser.add_argument("--captions", type=Path, help="CSV file with a column `prompt`; at least --count rows")
    parser.add_argument("--count", type=int, default=100, help="prompts of each kind (default %(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="denoising steps of a picture (default %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="CPU threads of torch (default 1 2)")
    arguments = parser.parse_args(argv)
    for name, value in (("count", arguments.count), ("steps", arguments.steps), ("threads", min(arguments.threads))):
        if value < 1:
            parser.error(f"--{name}: got {value}; allowed: from 1")
    prompts = prompts_by_kind(arguments.count, arguments.captions)
    if len(prompts.get("captions", prompts["scenes"])) < arguments.count:
        parser.error(f"--captions: got {len(prompts['captions'])} prompts; allowed: at least --count {arguments.count}")
    diffusers.utils.logging.set_verbosity_error()
    pipe = StableDiffusionPipeline.from_pretrained(embedded_model_path())
    pipe.set_progress_bar_config(disable=True)
    figures: dict[str, Figure] = {}
    before = torch.get_num_threads()
    try:
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            told = f"{threads} thread{'s' if threads > 1 else ''}"
            measured = measure(pipe, prompts, steps=arguments.steps)
            figures |= {f"{told}, {name}": figure for name, figure in measured.items()}
    finally:
        torch.set_num_threads(before)
    file = "" if arguments.captions is None else f" --captions {arguments.captions.name}"
    write_results(
        arguments.out,
        title="What the gate costs",
        command=f"python -m counterpoint.bench.gate_cost{file} --count {arguments.count} --steps {arguments.steps} "
        f"--threads {' '.join(map(str, arguments.threads))} --out {arguments.out}",
        figures=figures,
        notes=NOTES,
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
