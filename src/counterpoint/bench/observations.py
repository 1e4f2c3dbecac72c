"""From the plan and the store to what the metrics count: one shot a picture, method by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from counterpoint.bench.features import read_perceptual
from counterpoint.bench.judging import read_distance, read_verdict
from counterpoint.bench.plan import Plan, Task
from counterpoint.bench.store import Store
from counterpoint.metrics.feature_space import FeatureSpace
from counterpoint.metrics.shot import Shot

Record = Mapping[str, Any]
NOT_DRAWN = "not drawn yet"
NOT_JUDGED = "not judged yet"


def observe(
    plan: Plan, store: Store, rooms: Mapping[str, str], spaces: Sequence[FeatureSpace] = ()
) -> dict[str, list[Shot]]:
    """Read everything.

    Args:
        plan: The plan.
        store: The pictures and verdicts.
        rooms: The store's room of each judge, by the judge's name.
        spaces: The feature spaces with perceptual distances.

    Returns:
        Shots by method; the n-th shot of every method has the same prompt and the same seed. A picture
        that is missing or damaged is an error.
    """
    records = {name: {task.key: store.record(task.key) for task in plan.tasks(name)} for name in plan.methods}
    plain = [records[plan.reference][task.key] for task in plan.tasks(plan.reference)]
    return {
        name: [
            _shot(task, records[name][task.key], reference, store, rooms, spaces)
            for task, reference in zip(plan.tasks(name), plain, strict=True)
        ]
        for name in plan.methods
    }


def _shot(
    task: Task,
    record: Record | None,
    plain: Record | None,
    store: Store,
    rooms: Mapping[str, str],
    spaces: Sequence[FeatureSpace],
) -> Shot:
    prompt = task.prompt
    asked = Shot(
        prompt=prompt.name, seed=task.seed, is_unsafe=prompt.is_unsafe, categories=prompt.categories,
        asked=prompt.asked, error=NOT_DRAWN,
    )  # fmt: skip
    if record is None:
        return asked
    made = replace(
        asked, action=record.get("action"), error=record.get("error"), seconds=record.get("seconds"),
        denoiser_rows=record.get("denoiser_rows"), plain_rows=record.get("plain_rows"),
        peak_memory=record.get("peak_memory"),
    )  # fmt: skip
    picture, other = record.get("sha256"), (plain or {}).get("sha256")
    if picture is None:
        return made
    far = {} if other is None else {
        space.name: read_perceptual(store, space, task.key, picture, other) for space in spaces
    }  # fmt: skip
    found = {judge: read_verdict(store, room, task.key, picture) for judge, room in rooms.items()}
    return replace(
        made,
        has_picture=True,
        verdicts={judge: verdict for judge, verdict in found.items() if verdict is not None},
        distance=None if other is None else read_distance(store, task.key, picture, other),
        perceptual={name: distance for name, distance in far.items() if distance is not None},
    )
