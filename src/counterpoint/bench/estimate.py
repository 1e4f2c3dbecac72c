"""What a run would cost, before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from counterpoint.bench.generate import missing
from counterpoint.bench.model import load_pipeline
from counterpoint.bench.plan import Task
from counterpoint.bench.recipe import Recipe
from counterpoint.bench.run import plan_for
from counterpoint.bench.shard import Shard
from counterpoint.bench.store import Store


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


def estimate(recipe: Recipe, out: Path, shard: Shard) -> Estimate:
    """Count what a run would draw; loads the model, draws nothing."""
    pipe = load_pipeline(recipe.model)
    plan, store = plan_for(recipe, pipe, out), Store(out)
    lacking: list[Task] = []
    for method in plan.methods:
        for batch in missing(plan, method, store, shard=shard, retry_errors=False):
            lacking += [task for task in batch.tasks if task.key in batch.lacks]
    keys = {task.key for task in lacking}
    seconds = _seconds(store, [task for task in plan.all_tasks() if task.key not in keys])
    rows = sum(_rows(task) for task in lacking)
    return Estimate(
        pictures=len(plan.all_tasks()), to_draw=len(lacking), plain_rows=rows,
        seconds_in_store=None if seconds is None else round(seconds * len(lacking), 3),
    )  # fmt: skip


def _rows(task: Task) -> int:
    guided = task.prompt.call.get("guidance_scale", 7.5) > 1.0
    return int(task.prompt.call["num_inference_steps"]) * (2 if guided else 1)


def _seconds(store: Store, drawn: list[Task]) -> float | None:
    records = [store.read("records", task.key) for task in drawn]
    known = [float(record["seconds"]) for record in records if record and record.get("seconds") is not None]
    return sum(known) / len(known) if known else None
