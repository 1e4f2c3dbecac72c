"""What a run would cost, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from counterpoint.bench.generate import missing
from counterpoint.bench.model import load_pipeline
from counterpoint.bench.plan import Task
from counterpoint.bench.recipe import Recipe
from counterpoint.bench.run import plan_for
from counterpoint.bench.shard import Shard
from counterpoint.bench.store import Store
from counterpoint.methods.plain import Plain

TRIAL_PROMPT = "a house by a lake"
TRIAL_STEPS = (1, 3)
"""Denoising steps of the two trial pictures: their difference is what a step takes."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How much there is to do."""

    pictures: int
    """Of the whole recipe."""
    to_draw: int
    """Of this shard, and not in the store yet."""
    plain_rows: int
    """Rows of the denoiser that the plain model would run for them; a method may take up to three times as many."""
    seconds_in_store: float | None
    """Seconds for them at the rate of the pictures that are in the store; None where there are none yet."""
    seconds_by_trial: float | None
    """Seconds for them if all were plain pictures, drawn one by one, from a trial of the model; None where the store
    knows better, or nothing is to be drawn."""


def estimate(recipe: Recipe, out: Path, shard: Shard) -> Estimate:
    """Count what a run would draw; loads the model and, where the store holds no picture yet, draws three small trials.

    Raises:
        InvalidInput: The recipe asks for what is not there.
    """
    pipe = load_pipeline(recipe.model)
    plan, store = plan_for(recipe, pipe, out), Store(out)
    lacking: list[Task] = []
    for method in plan.methods:
        for batch in missing(plan, method, store, shard=shard, retry_errors=False):
            lacking += [task for task in batch.tasks if task.key in batch.lacks]
    keys = {task.key for task in lacking}
    seconds = _seconds(store, [task for task in plan.all_tasks() if task.key not in keys])
    return Estimate(
        pictures=len(plan.all_tasks()), to_draw=len(lacking), plain_rows=sum(_rows(task) for task in lacking),
        seconds_in_store=None if seconds is None else round(seconds * len(lacking), 3),
        seconds_by_trial=round(_seconds_by_trial(pipe, lacking), 1) if lacking and seconds is None else None,
    )  # fmt: skip


def _rows(task: Task) -> int:
    return int(task.prompt.call["num_inference_steps"]) * _rows_a_step(task)


def _rows_a_step(task: Task) -> int:
    return 2 if task.prompt.call.get("guidance_scale", 7.5) > 1.0 else 1


def _seconds(store: Store, drawn: list[Task]) -> float | None:
    records = [store.read("records", task.key) for task in drawn]
    known = [float(record["seconds"]) for record in records if record and record.get("seconds") is not None]
    return sum(known) / len(known) if known else None


def _seconds_by_trial(pipe: Any, lacking: Sequence[Task]) -> float:
    """Return the seconds that plain pictures of these sizes and numbers of steps would take, one by one."""
    trials: dict[tuple[float | None, ...], tuple[float, float]] = {}
    seconds = 0.0
    for task in lacking:
        call = {name: value for name, value in task.prompt.call.items() if name != "num_inference_steps"}
        kind = call.get("height"), call.get("width"), _rows_a_step(task)
        if kind not in trials:
            trials[kind] = _trial(pipe, call)
        step, rest = trials[kind]
        seconds += step * task.prompt.call["num_inference_steps"] + rest
    return seconds


def _trial(pipe: Any, call: dict[str, float]) -> tuple[float, float]:
    """Return the seconds of one step, and of all else that a picture takes."""

    def timed(steps: int) -> float:
        generator = torch.Generator("cpu").manual_seed(0)
        (picture,) = Plain(pipe)([TRIAL_PROMPT], generators=[generator], num_inference_steps=steps, **call)
        return picture.cost.seconds

    few, many = TRIAL_STEPS
    timed(few)  # the first call warms up
    short, long = timed(few), timed(many)
    step = max(0.0, (long - short) / (many - few))
    return step, max(0.0, short - few * step)
