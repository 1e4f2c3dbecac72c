"""What a run would cost, before it starts, and before any method is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from counterpoint.bench.generate import is_done
from counterpoint.bench.plan import Plan, Task, batches
from counterpoint.bench.shard import WHOLE, Shard
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
    to_train: tuple[str, ...]
    """Settings whose edited weights have yet to be made; those of one sweep share one training. All their pictures
    count as to be drawn; the training does not count."""
    seconds_in_store: float | None
    """Seconds for them at the rate of the pictures that are in the store; None where there are none yet."""
    seconds_by_trial: float | None
    """Seconds for them if all were plain pictures, drawn one by one, from a trial of the model; None where the store
    knows better, or nothing is to be drawn."""


def estimate(
    plan: Plan,
    pipe: Any,
    store: Store,
    *,
    shard: Shard = WHOLE,
    retry_errors: bool = False,
    to_train: Sequence[str] = (),
) -> Estimate:
    """Count what a run would draw; where the store holds no picture yet, draw three small trials.

    Args:
        plan: The plan; methods whose weights are not made yet stand in it under any recipe that no picture has.
        pipe: The model.
        store: What is drawn already. It believes its records: damaged pictures are found when a run draws.
        shard: The part of the work to count.
        retry_errors: Count what failed before, too.
        to_train: Labels of the methods whose weights have yet to be made.
    """
    tasks = plan.all_tasks()
    records = {task.key: store.read("records", task.key) for task in tasks}
    parts = [shard.of(batches(plan.tasks(method), plan.recipe.batch_size)) for method in plan.methods]
    mine = [task for part in parts for batch in part for task in batch]
    lacking = [task for task in mine if not is_done(records[task.key], retry_errors)]
    seconds = _seconds([record for record in records.values() if record])
    return Estimate(
        pictures=len(tasks), to_draw=len(lacking), plain_rows=sum(_rows(task) for task in lacking),
        to_train=tuple(to_train),
        seconds_in_store=None if seconds is None else round(seconds * len(lacking), 3),
        seconds_by_trial=round(_seconds_by_trial(pipe, lacking), 1) if lacking and seconds is None else None,
    )  # fmt: skip


def told(found: Estimate) -> str:
    """Return the estimate as one line."""
    parts = [f"{found.to_draw} of {found.pictures} pictures to draw, {found.plain_rows} rows of the denoiser if plain"]
    if found.seconds_in_store is not None:
        parts.append(f"about {found.seconds_in_store:.0f} s at the rate of the pictures in the folder")
    elif found.seconds_by_trial is not None:
        parts.append(f"about {found.seconds_by_trial:.0f} s if plain, by a trial")
    if found.to_train:
        parts.append(f"before it, and not counted, the weights of {', '.join(found.to_train)}")
    return "; ".join(parts)


def _rows(task: Task) -> int:
    return int(task.prompt.call["num_inference_steps"]) * _rows_a_step(task)


def _rows_a_step(task: Task) -> int:
    return 2 if task.prompt.call.get("guidance_scale", 7.5) > 1.0 else 1


def _seconds(records: Sequence[Mapping[str, Any]]) -> float | None:
    known = [float(record["seconds"]) for record in records if record.get("seconds") is not None]
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
