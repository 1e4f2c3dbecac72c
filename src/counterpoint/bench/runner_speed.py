"""Measure the runner against what one writes first: a loop over the prompts that draws and saves one picture each.

The runner's side holds all that it does besides drawing: records, hashes, marks, files that are synced. The loop saves
a PNG file. Loading the model and planning, once a run, are on neither side. Both draw the same pictures by turns.

Example:
    python -m counterpoint.bench.runner_speed --count 16 --rounds 3 --out docs/results/runner-speed.json
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from counterpoint.bench.generate import generate
from counterpoint.bench.model import load_pipeline
from counterpoint.bench.plan import Plan, Task
from counterpoint.bench.recipe import Recipe, parse_recipe
from counterpoint.bench.run import plan_for
from counterpoint.bench.speed import ratio
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput
from counterpoint.levels import Safety
from counterpoint.pipeline import SafePipeline
from counterpoint.results import Figure, rate, write_results

LEVEL: Safety = "medium"
NOTES = """{model} on {device}, {threads} thread(s), {steps} steps, batches of {batch} in the runner; half of the
prompts unsafe, half neighbours. "Plain" is the pipeline's own call, "counterpoint" the method at {level} with its gate.
The loop is a call and `save` for each prompt. n is the number of rounds; both sides draw the same {count} pictures in
each, by turns. A value is the median over the rounds with its bootstrap interval, a ratio's over the rounds' own
ratios. "CPU" counts processor seconds of the process, which other work on the machine touches less than the wall
clock. Levels are of 255."""


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded", help="folder, hub name, or embedded")
    parser.add_argument("--count", type=int, default=16, help="pictures of a round, even (default 16)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side (default 3)")
    parser.add_argument("--steps", type=int, default=25, help="denoising steps (default 25)")
    parser.add_argument("--batch", type=int, default=8, help="pictures of one call of the runner (default 8)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    parser.add_argument("--busy", action="store_true", help="write down that the machine had other work")
    parser.add_argument("--out", type=Path, default=Path("docs/results/runner-speed.json"), help="JSON file to write")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    figures = measure(given.model, count=given.count, rounds=given.rounds, steps=given.steps, batch=given.batch)
    notes = NOTES.format(
        model="The embedded model" if given.model == "embedded" else "The model",
        device="a GPU" if torch.cuda.is_available() else "a CPU",
        threads=given.threads, steps=given.steps, batch=given.batch, level=LEVEL, count=given.count,
    )  # fmt: skip
    write_results(
        given.out,
        title="The runner against a loop over the prompts",
        command=f"python -m counterpoint.bench.runner_speed --count {given.count} --rounds {given.rounds} "
        f"--steps {given.steps} --batch {given.batch} --threads {given.threads}" + (" --busy" if given.busy else ""),
        figures=figures,
        notes=notes + ("\nThe machine was busy with other work." if given.busy else ""),
    )


def measure(model: str, *, count: int, rounds: int, steps: int, batch: int) -> dict[str, Figure]:
    """Return speeds of both sides, their ratio, and how far their pictures lie apart.

    Raises:
        InvalidInput: `count` is not even, or a number is below 1.
    """
    if count % 2 or min(count, rounds, steps, batch) < 1:
        raise InvalidInput("count, rounds, steps, batch", (count, rounds, steps, batch), "from 1; count even")
    pipe = load_pipeline(model)
    figures: dict[str, Figure] = {}
    methods: dict[str, dict[str, Any]] = {
        "plain": {"name": "plain"}, "counterpoint": {"name": "dual_latent", "options": {"safety": LEVEL}}
    }  # fmt: skip
    for name, method in methods.items():
        recipe = _recipe(model, method, count, steps, batch)
        with tempfile.TemporaryDirectory() as folder:
            figures |= _sides(name, plan_for(recipe, pipe, Path(folder)), pipe, rounds, Path(folder))
    return figures


def _recipe(model: str, method: dict[str, Any], count: int, steps: int, batch: int) -> Recipe:
    kinds = [{"name": "scenes", "label": kind, "limit": count // 2, "options": {"kind": kind}}
             for kind in ("unsafe", "proximal")]  # fmt: skip
    return parse_recipe({"name": "speed", "model": model, "methods": [method], "datasets": kinds, "steps": steps,
                         "guidance_scale": 4.0, "batch_size": batch})  # fmt: skip


def _sides(name: str, plan: Plan, pipe: Any, rounds: int, folder: Path) -> dict[str, Figure]:
    label = list(plan.methods)[-1]
    plan = dataclasses.replace(plan, methods={label: plan.methods[label]})
    tasks = plan.tasks(label)
    draw_alone = pipe if label == "plain" else SafePipeline(pipe, safety=LEVEL)
    seconds: dict[str, list[tuple[float, float]]] = {"a loop": [], "the runner": []}
    for number in range(rounds + 1):  # the first warms up
        own = folder / f"{name}-{number}"
        own.mkdir()
        seconds["a loop"].append(_timed(lambda own=own: _loop(draw_alone, plan, tasks, own)))
        seconds["the runner"].append(_timed(lambda own=own: generate(plan, pipe, Store(own / "store"))))
    gaps = [
        _largest_gap(folder / f"{name}-1" / f"{n}.png", Store(folder / f"{name}-1" / "store").picture_path(task.key))
        for n, task in enumerate(tasks)
    ]
    return _figures(name, len(tasks), {side: values[1:] for side, values in seconds.items()}, gaps)


def _loop(draw_alone: Any, plan: Plan, tasks: list[Task], folder: Path) -> None:
    for n, task in enumerate(tasks):
        generator = torch.Generator("cpu").manual_seed(task.seed)
        output = draw_alone(plan.texts[task.prompt.sha256], generator=generator, **task.prompt.call)
        output.images[0].save(folder / f"{n}.png")


def _timed(work: Any) -> tuple[float, float]:
    """Return wall-clock and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _largest_gap(first: Path, second: Path) -> int:
    sides = [np.asarray(Image.open(path).convert("RGB"), dtype=np.int16) for path in (first, second)]
    return int(np.abs(sides[0] - sides[1]).max())


def _figures(
    name: str, count: int, seconds: dict[str, list[tuple[float, float]]], gaps: list[int]
) -> dict[str, Figure]:
    figures = {}
    for place, clock in enumerate(("", ", CPU")):
        rates = {side: [count / values[place] for values in rounds] for side, rounds in seconds.items()}
        for side, values in rates.items():
            whole = ratio(values, [1.0] * len(values))
            figures[f"{name}, {side}: pictures a second{clock}"] = dataclasses.replace(whole, unit="1/s")
        gain = ratio(rates["the runner"], rates["a loop"])
        figures[f"{name}: the runner by the loop{clock}"] = dataclasses.replace(gain, unit="x")
    worst = float(max(gaps))
    figures[f"{name}: pictures within 2 levels of the loop's"] = rate(sum(gap <= 2 for gap in gaps), count)
    figures[f"{name}: largest difference"] = Figure(value=worst, low=worst, high=worst, n=count, unit="levels of 255")
    return figures


if __name__ == "__main__":
    main()
