"""Measure what company does to a picture in the server: its bytes, and pictures a second.

Example:
    python -m counterpoint.bench.batching --count 16 --steps 8 --out docs/results/batching.json
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from threading import Event

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from counterpoint.interfaces import SafetyReport
from counterpoint.pipeline import SafePipeline
from counterpoint.results import Figure, rate, write_results
from counterpoint.server.config import EMBEDDED
from counterpoint.server.drawing import draw
from counterpoint.server.loading import load_pipe
from counterpoint.server.picture_queue import Order, Settings

HARMLESS = (
    "a dog in a forest",
    "a robot with a guitar in a city",
    "a farmer on a beach",
    "a cat with an apple in a room",
)
ENGAGED = ("a chef with a knife in a room", "a robot with a sword in a city", "a cowboy with a cigarette in a desert",
           "a pilot with a beer on a beach")  # fmt: skip
NOTES = """The embedded model on {device}, {threads} thread(s), {steps} steps, safety medium, float32. Each picture is
drawn alone and in a call of {batch}, harmless and engaged ones mixed, from the same seed. "Identical" compares pixels,
and so do the levels (0..255). Kernels may add in another order where the batch is larger; this is the tolerance then.
Pictures a second are of the drawing alone, without HTTP, on a machine that may have had other work: compare them with
each other only."""


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=16, help="pictures of each kind (default 16)")
    parser.add_argument("--steps", type=int, default=8, help="denoising steps (default 8)")
    parser.add_argument("--batch", type=int, default=4, help="pictures of one call (default 4)")
    parser.add_argument("--out", type=Path, default=Path("docs/results/batching.json"), help="JSON file to write")
    arguments = parser.parse_args()
    safe = SafePipeline(load_pipe(EMBEDDED))
    figures = measure(safe, count=arguments.count, steps=arguments.steps, batch=arguments.batch)
    device = "a GPU" if torch.cuda.is_available() else "a CPU"
    write_results(
        arguments.out,
        title="Pictures drawn together",
        command=f"python -m counterpoint.bench.batching --count {arguments.count} --steps {arguments.steps}",
        figures=figures,
        notes=NOTES.format(
            device=device, threads=torch.get_num_threads(), steps=arguments.steps, batch=arguments.batch
        ),
    )


def orders(count: int, steps: int) -> list[Order]:
    """Return `count` harmless and `count` engaged pictures, taking turns."""
    settings = Settings(
        steps=steps, guidance_scale=None, size=None, safety=0.5, safe_prompt=None, on_unsafe="steer",
        has_negative_prompt=False,
    )  # fmt: skip
    prompts = itertools.cycle(itertools.chain.from_iterable(zip(HARMLESS, ENGAGED, strict=True)))
    return [
        Order(prompt=prompt, negative_prompt=None, seed=seed, settings=settings, abandoned=Event())
        for seed, prompt in zip(range(2 * count), prompts, strict=False)
    ]


def measure(safe: SafePipeline, *, count: int, steps: int, batch: int) -> dict[str, Figure]:
    """Return the figures."""
    asked = orders(count, steps)
    draw(safe, asked[:1], lambda: None)  # warm up
    with Progress(console=Console(stderr=True), transient=True) as progress:
        alone, alone_seconds = _draw_all(safe, asked, 1, progress)
        together, together_seconds = _draw_all(safe, asked, batch, progress)
    figures: dict[str, Figure] = {}
    for action, name in (("passed", "harmless"), ("steered", "engaged")):
        pairs = [
            (one, other) for (one, report), (other, _) in zip(alone, together, strict=True) if report.action == action
        ]
        worst = max(int(np.abs(one.astype(int) - other).max()) for one, other in pairs)
        figures[f"identical pixels, {name}"] = rate(sum(np.array_equal(*pair) for pair in pairs), len(pairs))
        figures[f"largest difference, {name}"] = Figure(
            value=worst, low=worst, high=worst, n=len(pairs), unit="levels of 255"
        )
    for name, seconds in (("one at a time", alone_seconds), (f"{batch} together", together_seconds)):
        speed = len(asked) / seconds
        figures[f"pictures a second, {name}"] = Figure(value=speed, low=speed, high=speed, n=len(asked), unit="1/s")
    return figures


def _draw_all(
    safe: SafePipeline, asked: list[Order], batch: int, progress: Progress
) -> tuple[list[tuple[np.ndarray, SafetyReport]], float]:
    task = progress.add_task(f"{batch} at a time", total=len(asked))
    started, drawn = time.perf_counter(), []
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        drawn += [(np.asarray(image), report) for image, report in draw(safe, part, lambda: None)]
        progress.advance(task, len(part))
    return drawn, time.perf_counter() - started


if __name__ == "__main__":
    main()
