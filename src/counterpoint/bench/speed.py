"""What safety costs: seconds, denoiser rows and memory of each way to draw, as multiples of the plain pipeline's.

    counterpoint bench speed --out docs/results/speed.json
    counterpoint bench speed --model sd15-random --steps 3 --rounds 3 --out docs/results/speed_sd15.json

All ways draw in turn, in each round in another order, so that a busy machine is busy for all of them; a
time is compared with the plain call's of the same round. Rows (one latent of one stream at one step) are
counted, and are the same on every machine.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch

from counterpoint.bench.peak_memory import PeakMemory
from counterpoint.bench.progress import progress
from counterpoint.bench.sd15_random import told_by_word, wrapped_model
from counterpoint.bench.speed_ways import Draw, Way, ways_of
from counterpoint.engines.denoiser import arguments_of, denoisers, num_rows
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.statistics import median_figure
from counterpoint.results import Figure, write_results

MODELS = ("embedded", "sd15-random")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
PLAIN = "plain"
MEMORY_WAYS = ("harmless", "medium, fused", "max, fused", "medium, reference", "SLD", "open_nsfw")
MEMORY_STEPS = 2  # the peak of a call does not depend on their number
NOTES = """Every row is one way to draw one picture, as a multiple of what the plain pipeline takes for it. A time ratio
is the median over the rounds, with the interval of a median by ranks; both calls of a ratio ran in the same round.
"CPU seconds" leave out the time in which other programs had the processor: on a busy machine they are the fairer
figure. Rows are counted, not measured, and hold on every machine. "Engaged" is a prompt that the gate finds unsafe,
drawn at a named level by an engine; "harmless" is one that it does not. The gate and the choice of a safe prompt are
part of our times; each way has a gate of its own, which remembers what it has read. In 625 rounds no prompt comes
twice, and in the first 24 after the warm-up no word but "a", "with", "in" and the knife."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one call took."""

    seconds: float
    cpu_seconds: float


def take_time(draw: Draw, number: int) -> Taken:
    """Draw one picture of a round's prompt and time it; on an accelerator until the last kernel has ended."""
    _synchronise()
    wall, cpu = time.perf_counter(), time.process_time()
    draw(1, number)
    _synchronise()
    return Taken(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu)


def count_rows(pipe: Any, draw: Draw) -> int:
    """Return the denoiser's rows for one picture; the call also warms up what is kept for later calls.

    Counted when the denoiser answers: a call that is left before it runs (the fused engine reads the safe
    conditioning that way) costs nothing.
    """
    rows: list[int] = []

    def count(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        rows.append(num_rows(arguments_of(module, args, kwargs)))

    handles = [module.register_forward_hook(count, with_kwargs=True) for module in denoisers(pipe)]
    try:
        draw(1, 0)
    finally:
        for handle in handles:
            handle.remove()
    return sum(rows)


def ratio(values: Sequence[float], plain: Sequence[float]) -> Figure:
    """Return the median of the paired ratios."""
    return median_figure([value / base for value, base in zip(values, plain, strict=True)], unit="x plain")


def measure_time(pipe: Any, ways: Sequence[Way], *, rounds: int) -> dict[str, Figure]:
    """Count the rows of all ways, and time them in turn.

    Args:
        pipe: The pipeline that all of them share.
        ways: What to measure; one of them is the plain pipeline.
        rounds: How often each draws, timed.
    """
    taken: dict[str, list[Taken]] = {way.name: [] for way in ways}
    with progress("speed", len(ways) * (rounds + 1)) as bar:
        rows: dict[str, int] = {}
        for way in ways:
            rows[way.name] = count_rows(pipe, way.draw)
            bar.advance()
        order, rng = list(ways), random.Random(0)
        for number in range(1, rounds + 1):
            rng.shuffle(order)
            for way in order:
                taken[way.name].append(take_time(way.draw, number))
                bar.advance()
    figures: dict[str, Figure] = {}
    for way in ways:
        figures |= _figures_of(way.name, rows, taken)
    return figures


def _figures_of(name: str, rows: dict[str, int], taken: dict[str, list[Taken]]) -> dict[str, Figure]:
    figures = {f"{name}: rows": _exact(rows[name], "rows")}
    if name == PLAIN:
        seconds = [one.seconds for one in taken[name]]
        median = statistics.median(seconds)
        figures["plain: seconds"] = Figure(value=median, low=min(seconds), high=max(seconds), n=len(seconds), unit="s")
        return figures
    figures[f"{name}: rows ratio"] = _exact(rows[name] / rows[PLAIN], "x plain")
    clocks: list[tuple[str, Callable[[Taken], float]]] = [("seconds", lambda one: one.seconds)]
    if not torch.cuda.is_available():
        clocks.append(("CPU seconds", lambda one: one.cpu_seconds))
    for unit, clock in clocks:
        figures[f"{name}: {unit}"] = ratio([*map(clock, taken[name])], [*map(clock, taken[PLAIN])])
    return figures


def measure_memory(pipe: Any, ways: Sequence[Way], pictures: int) -> dict[str, Figure]:
    """Look at the peak memory of calls of so many pictures, once each; nothing where the system does not tell."""
    peaks: dict[str, float | None] = {}
    for way in ways:
        with PeakMemory(pipe._execution_device) as memory:
            way.draw(pictures, 0)
        peaks[way.name] = memory.mebibytes
    base, what = peaks[PLAIN], f"peak memory, {pictures} a call"
    if base is None:
        return {}
    figures = {f"plain: {what}": _exact(base, "MiB")}
    return figures | {
        f"{name}: {what}": _exact(peak / base, "x plain")
        for name, peak in peaks.items()
        if name != PLAIN and peak is not None
    }


def _exact(value: float, unit: str) -> Figure:
    """Return what was counted, or looked at once."""
    return Figure(value=value, low=value, high=value, n=1, unit=unit)


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def run(
    out: Path, *, model: str = "embedded", dtype: str = "float32", steps: int = 25, rounds: int = 10, threads: int = 1,
    memory: bool = True, only: Sequence[str] = (),
) -> dict[str, Figure]:  # fmt: skip
    """Measure, and write the page.

    Args:
        out: JSON file to write; the page goes beside it.
        model: "embedded"; "sd15-random", a Stable Diffusion 1.x of real size with random weights, 256 px; or a folder.
        dtype: Precision of all parts of the model: float32, float16 or bfloat16.
        steps: Denoising steps of a picture.
        rounds: Timed pictures of each way.
        threads: CPU threads of torch.
        memory: Whether to look at peak memory, too.
        only: Ways whose name holds one of these, besides the plain one; none = all.

    Returns:
        The figures, by name.

    Raises:
        InvalidInput: There is no such model, or no such precision.
    """
    if dtype not in DTYPES:
        raise InvalidInput("dtype", dtype, ", ".join(DTYPES))
    load = os.getloadavg()[0]
    torch.set_num_threads(threads)
    diffusers.utils.logging.set_verbosity_error()
    pipe, make_detector = wrapped_model(model, DTYPES[dtype])
    ways, skipped = ways_of(pipe, steps=steps, make_detector=make_detector, only=only)
    figures = measure_time(pipe, ways, rounds=rounds)
    if memory:
        short, _ = ways_of(pipe, steps=MEMORY_STEPS, make_detector=make_detector, only=only or MEMORY_WAYS)
        figures |= measure_memory(pipe, short, 1) | measure_memory(pipe, short, 4)
    device = (
        "one NVIDIA GPU"
        if torch.cuda.is_available()
        else f"CPU, {threads} thread(s); load of the machine before the first picture: {load:.1f} processes"
    )
    more = [f"Model: {model}, {dtype}; {steps} steps; {device}."]
    if model == "sd15-random":
        more.append(told_by_word.__doc__ or "")
    more += [f"Not measured: {name} ({why})." for name, why in skipped.items()]
    more += [f"GPU in {name}: not measured on this page." for name in unmeasured_on_gpu(dtype)]
    options = "".join(f" --only {word}" for word in only) + ("" if memory else " --no-memory")
    write_results(
        out,
        title=f"Speed, {model}",
        command=f"python -m counterpoint.bench.speed --model {model} --dtype {dtype} --steps {steps} --rounds {rounds} "
        f"--threads {threads}{options} --out {out}",
        figures=figures,
        notes=NOTES + "\n\n" + "\n".join(more),
    )
    return figures


def unmeasured_on_gpu(dtype: str) -> list[str]:
    """Return the precisions in which no accelerator drew: without one all of them, else all but this one."""
    return [name for name in DTYPES if name != dtype or not torch.cuda.is_available()]


def main(argv: list[str] | None = None) -> int:
    """Measure, write the results, print the page."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m counterpoint.bench.speed", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; a page goes beside it")
    parser.add_argument("--model", default="embedded", help=f"{', '.join(MODELS)}, or a diffusers folder")
    for name, default, about in (
        ("steps", 25, "denoising steps"),
        ("rounds", 10, "timed pictures of each way"),
        ("threads", 1, "CPU threads"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{about} (default %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="precision (default %(default)s)")
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="do not look at peak memory")
    parser.add_argument("--only", action="append", default=[], help="ways whose name holds this word; may be repeated")
    arguments = parser.parse_args(argv)
    for name in ("steps", "rounds", "threads"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name}: got {getattr(arguments, name)}; allowed: from 1")
    run(**vars(arguments))
    sys.stdout.write(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
