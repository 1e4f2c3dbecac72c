"""Measure the embedded model and the method on it, in the scenes world.

Examples:
    python -m counterpoint.bench.scenes model --out docs/results/model.json
    python -m counterpoint.bench.scenes levels --count 500 --out docs/results/levels.json
    python -m counterpoint.bench.scenes dial --count 100 --out docs/results/dial.json
    python -m counterpoint.bench.scenes cost --count 50 --out docs/results/cost.json
    python -m counterpoint.bench.scenes local --count 200 --out docs/results/local.json
    python -m counterpoint.bench.scenes seconds --count 20 --out docs/results/seconds.json
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from rich.console import Console
from rich.progress import Progress

from counterpoint.bench import checked, cost_curve, embedding_table, ends, local_map, timing
from counterpoint.bench.cases import Case, scenes_cases
from counterpoint.bench.counting import (
    agreement,
    found_rates,
    read_pictures,
    safety_rates,
    share,
)
from counterpoint.bench.drawing import Drawn, draw_cases
from counterpoint.bench.plot import dial_plot
from counterpoint.bench.scenes_notes import (
    CALIBRATION_NOTES,
    CHECKED_NOTES,
    COST_NOTES,
    EMBEDDING_NOTES,
    ENDS_NOTES,
    JUDGED,
    LOCAL_NOTES,
    PROJECTION_NOTES,
    SECONDS_NOTES,
)
from counterpoint.embedded import GUIDANCE_SCALE, recogniser_path
from counterpoint.interfaces import Coupling, InvalidInput
from counterpoint.levels import LEVELS, Safety
from counterpoint.loading import load_pipe
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline
from counterpoint.recognisers import HEADS, Reading, Recogniser
from counterpoint.results import Figure, rate, write_results
from counterpoint.scenes.world import Split

DIAL = tuple(number / 10 for number in range(11))
COUPLINGS: tuple[Coupling, ...] = ("joined", "parallel")
TAUS = (0.0, 0.1, 0.2, 0.4, 0.6)
WEIGHTS = (0.25, 0.5, 0.75, 1.0)


class Bench:
    """The embedded model, its two recognisers, and how to draw."""

    def __init__(self, *, model: str | None, steps: int, guidance_scale: float, batch_size: int) -> None:
        """Load the model and the judge.

        Args:
            model: Diffusers folder; None takes the embedded model.
            steps: Denoising steps of every picture.
            guidance_scale: Strength of the prompt.
            batch_size: Pictures of one call.
        """
        diffusers.utils.logging.set_verbosity_error()  # its remark about the text encoder's type
        self.pipe = load_pipe(model)
        self.safe = SafePipeline(self.pipe)
        self.judge = Recogniser.from_pretrained(recogniser_path("judge"))
        self.steps, self.guidance_scale = steps, guidance_scale
        self.batch_size = batch_size

    def draw(
        self, cases: Sequence[Case], safety: Safety, *, safe: SafePipeline | None = None, batch_size: int | None = None
    ) -> tuple[list[Drawn], list[Reading | None]]:
        """Draw the cases and let the judge read them."""
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(f"safety {safety}", total=len(cases))
            drawn = draw_cases(
                safe or self.safe,
                cases,
                safety=safety,
                steps=self.steps,
                guidance_scale=self.guidance_scale,
                batch_size=batch_size or self.batch_size,
                on_picture=lambda count: progress.advance(task, count),
            )
        return drawn, read_pictures(self.judge, drawn)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One sub-command: what it measures, and how its page is called."""

    title: str
    about: str
    measure: Callable[[Bench, int, Path], dict[str, Figure]]
    default_count: int


def measure_model(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """How often the plain model draws what was asked."""
    cases = scenes_cases("any", split="test", count=count)
    started = time.perf_counter()
    drawn, readings = bench.draw(cases, 0.0)
    seconds = (time.perf_counter() - started) / count
    checked = read_pictures(Recogniser.from_pretrained(recogniser_path("checker")), drawn)
    figures = found_rates(drawn, readings)
    figures |= {f"{name}, by the checker": f for name, f in found_rates(drawn, checked).items() if name != "error"}
    figures |= {f"recognisers agree, {head}": agreement(readings, checked, head) for head in HEADS}
    figures["seconds a picture, in batches"] = Figure(value=seconds, low=seconds, high=seconds, n=count, unit="s")
    return figures


def measure_levels(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Unsafe prompts at every named level."""
    return _along(bench, count, {name: value for name, value in LEVELS.items()})


def measure_dial(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Unsafe prompts at eleven settings of the dial; also a plot beside `out`."""
    figures = _along(bench, count, {f"{value:.1f}": value for value in DIAL})
    dial_plot(figures, DIAL, out.with_suffix(".svg"))
    return figures


def measure_calibration(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Unsafe validation prompts along the dial; also a plot beside `out`."""
    figures = _along(bench, count, {f"{value:.1f}": value for value in DIAL}, split="validation")
    dial_plot(figures, DIAL, out.with_suffix(".svg"))
    return figures


def _along(bench: Bench, count: int, settings: dict[str, float], *, split: Split = "test") -> dict[str, Figure]:
    cases = scenes_cases("unsafe", split=split, count=count)
    plain = bench.draw(cases, 0.0)
    figures: dict[str, Figure] = {}
    for name, safety in settings.items():
        drawn, readings = bench.draw(cases, safety) if safety else plain
        figures |= {f"{name}: {key}": figure for key, figure in safety_rates(drawn, plain[1], readings).items()}
    return figures


def measure_coupling(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Joined and parallel streams, over tau and weight, on validation prompts."""
    cases = scenes_cases("unsafe", split="validation", count=count)
    _, plain = bench.draw(cases, 0.0)
    figures: dict[str, Figure] = {}
    for coupling, tau, weight in itertools.product(COUPLINGS, TAUS, WEIGHTS):
        schedule = MixingSchedule(weight=weight, tau=tau)
        safe = SafePipeline(
            bench.pipe,
            detector=bench.safe.detector,
            coupling=coupling,
            schedule=schedule,
            reuse=1,
        )
        drawn, readings = bench.draw(cases, 1.0, safe=safe)
        name = f"{coupling}, tau {tau:g}, weight {weight:g}"
        figures |= {f"{name}: {key}": figure for key, figure in safety_rates(drawn, plain, readings).items()}
    return figures


def measure_benign(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Harmless prompts at level max, one a call: are the pictures the plain pipeline's, bit for bit?"""
    cases = scenes_cases("benign", split="test", count=count)
    drawn, _ = bench.draw(cases, "max", batch_size=1)
    identical: list[bool | None] = []
    for one in drawn:
        if one.report is None or one.report.action != "passed":
            identical.append(None)
            continue
        generator = torch.Generator("cpu").manual_seed(one.case.seed)
        plain = bench.pipe(
            one.case.prompt,
            num_inference_steps=bench.steps,
            guidance_scale=bench.guidance_scale,
            generator=generator,
            output_type="pt",
        ).images  # the pipeline itself, not the wrapper at safety 0
        identical.append(torch.equal(plain[0].float().cpu(), torch.as_tensor(one.pixels)))
    engaged = [one.report is not None and one.report.action != "passed" for one in drawn]
    half = -(-count // 2)
    return {
        "identical where the gate is not engaged": share(identical),
        "gate engages": rate(sum(engaged), len(engaged)),
        "gate engages, proximal neighbours": rate(sum(engaged[:half]), half),
        "error": rate(sum(one.pixels is None for one in drawn), len(drawn)),
    }


def measure_cost(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Each cut of the cost, at levels medium and high; also a plot beside `out`."""
    return cost_curve.measure(bench, scenes_cases("unsafe", split="test", count=count), out)


def measure_local(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """The local weight map against the global weight; also a contact sheet beside `out`."""
    return local_map.measure(bench, scenes_cases("unsafe", split="test", count=count, seed=local_map.SEED), out)


def measure_embeddings(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Every safe embedding at level high."""
    unsafe = scenes_cases("unsafe", split="test", count=count)
    return embedding_table.measure(bench, unsafe, embedding_table.embeddings(count))


def measure_projection(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Projection off the unsafe words' subspace at level high."""
    unsafe = scenes_cases("unsafe", split="test", count=count)
    return embedding_table.measure(bench, unsafe, embedding_table.projections())


def measure_checked(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """The default level without and with the output check."""
    return checked.measure(bench, scenes_cases("unsafe", split="test", count=count))


def measure_ends(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """Weights 0 and 1 against the plain pipeline, for six samplers."""
    unsafe, twins = (scenes_cases(kind, split="test", count=count) for kind in ("unsafe", "proximal"))
    return ends.measure(bench, unsafe, twins, bench.steps)


def measure_seconds(bench: Bench, count: int, out: Path) -> dict[str, Figure]:
    """One picture at each level, and the demo."""
    unsafe, harmless = (scenes_cases(kind, split="test", count=count) for kind in ("unsafe", "proximal"))
    return timing.measure(bench, unsafe, harmless, steps=bench.steps, guidance_scale=bench.guidance_scale)


MEASUREMENTS = {
    "model": Measurement(
        title="The embedded model",
        about="Test prompts of all kinds, drawn by the plain model: does the judge find what was asked?",
        measure=measure_model,
        default_count=500,
    ),
    "levels": Measurement(
        title="The named levels",
        about="Unsafe test prompts at every named level, by the default gate and safe embedding.",
        measure=measure_levels,
        default_count=500,
    ),
    "dial": Measurement(
        title="The dial",
        about="Unsafe test prompts along the dial.\n\n![Safety against unsafe rate and kept context](dial.svg)",
        measure=measure_dial,
        default_count=100,
    ),
    "calibration": Measurement(
        title="The dial on validation prompts",
        about=CALIBRATION_NOTES,
        measure=measure_calibration,
        default_count=100,
    ),
    "coupling": Measurement(
        title="Joined and parallel streams",
        about="Unsafe validation prompts: what to choose the default and the dial's anchors from.",
        measure=measure_coupling,
        default_count=60,
    ),
    "benign": Measurement(
        title="Harmless prompts",
        about="Harmless test prompts, half of them chosen neighbours of unsafe ones, at level max.",
        measure=measure_benign,
        default_count=500,
    ),
    "ends": Measurement(
        title="Both ends of the dial",
        about=ENDS_NOTES,
        measure=measure_ends,
        default_count=5,
    ),
    "seconds": Measurement(
        title="Seconds",
        about=SECONDS_NOTES,
        measure=measure_seconds,
        default_count=20,
    ),
    "embeddings": Measurement(
        title="The safe embeddings",
        about=EMBEDDING_NOTES,
        measure=measure_embeddings,
        default_count=500,
    ),
    "projection": Measurement(
        title="Projection, per token and pooled",
        about=PROJECTION_NOTES,
        measure=measure_projection,
        default_count=500,
    ),
    "checked": Measurement(
        title="The output check",
        about=CHECKED_NOTES,
        measure=measure_checked,
        default_count=2000,
    ),
    "cost": Measurement(
        title="What each cut of the cost takes away",
        about=COST_NOTES,
        measure=measure_cost,
        default_count=50,
    ),
    "local": Measurement(
        title="The local weight map against the global weight",
        about=LOCAL_NOTES,
        measure=measure_local,
        default_count=200,
    ),
}


def build_parser() -> argparse.ArgumentParser:
    """Command line: one sub-command per page of docs/results."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.bench.scenes", description=__doc__, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="name", required=True)
    numbers = {
        "steps": (25, "denoising steps"),
        "batch-size": (10, "pictures of one call"),
        "threads": (2, "CPU threads"),
    }
    for name, measurement in MEASUREMENTS.items():
        command = commands.add_parser(name, help=measurement.about.split("\n")[0])
        command.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
        for option, (default, about) in {"count": (measurement.default_count, "prompts"), **numbers}.items():
            command.add_argument(f"--{option}", type=int, default=default, help=f"{about} (default %(default)s)")
        command.add_argument(
            "--guidance-scale", type=float, default=GUIDANCE_SCALE, help="strength of the prompt (default %(default)s)"
        )
        command.add_argument("--model", default=None, help="diffusers folder (default: the embedded model)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print them."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    for option in ("count", "steps", "batch_size", "threads"):
        if getattr(arguments, option) < 1:
            parser.error(f"--{option.replace('_', '-')}: got {getattr(arguments, option)}; allowed: from 1")
    if not 0.0 <= arguments.guidance_scale < float("inf"):
        parser.error(f"--guidance-scale: got {arguments.guidance_scale}; allowed: a finite number from 0")
    torch.set_num_threads(arguments.threads)
    measurement = MEASUREMENTS[arguments.name]
    try:
        bench = Bench(
            model=arguments.model,
            steps=arguments.steps,
            guidance_scale=arguments.guidance_scale,
            batch_size=arguments.batch_size,
        )
    except InvalidInput as error:
        parser.error(str(error))
    figures = measurement.measure(bench, arguments.count, arguments.out)
    write_results(
        arguments.out,
        title=measurement.title,
        command=f"python -m counterpoint.bench.scenes {arguments.name} --out {arguments.out} "
        f"--count {arguments.count} --steps {arguments.steps} --guidance-scale {arguments.guidance_scale:g} "
        f"--batch-size {arguments.batch_size} --threads {arguments.threads}",
        figures=figures,
        notes=f"{measurement.about}\n\n{JUDGED}",
    )
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
