"""The first stage: find what the store lacks, and let an executor draw it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from counterpoint.bench.batch_drawer import Batch
from counterpoint.bench.executor import Executor, LocalExecutor
from counterpoint.bench.plan import Plan, batches
from counterpoint.bench.progress import progress
from counterpoint.bench.second_order import complete_shifts
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store


def missing(plan: Plan, method: str, store: Store, *, shard: Shard, retry_errors: bool) -> list[Batch]:
    """Return a method's batches of this shard that are not all in the store, each with the keys it lacks.

    A damaged picture counts as lacking.
    """
    found = []
    for tasks in shard.of(batches(plan.tasks(method), plan.recipe.batch_size)):
        lacks = frozenset(task.key for task in tasks if not is_done(store.record(task.key), retry_errors))
        if lacks:
            found.append(Batch(tasks=tuple(tasks), lacks=lacks))
    return found


def is_done(record: Mapping[str, Any] | None, retry_errors: bool) -> bool:
    """Whether a picture's record says that nothing is left to draw; a failure counts unless it is to be tried again."""
    return record is not None and not (retry_errors and record.get("error"))


def generate(
    plan: Plan,
    pipe: Any,
    store: Store,
    *,
    shard: Shard = WHOLE,
    retry_errors: bool = False,
    executor: Executor | None = None,
) -> int:
    """Draw what is missing.

    Args:
        plan: A plan with its texts.
        pipe: The model.
        store: Where pictures and records go.
        shard: The part of the batches to draw.
        retry_errors: Draw again what failed before.
        executor: Who draws; None = this process.

    Returns:
        Number of pictures drawn.

    Raises:
        OSError: The disk is full; what was drawn before is safe, and the next run goes on from there.
    """
    store.sweep()
    # One method after the other: each may hold its own copy of the weights.
    todo = [
        batch
        for method in plan.methods
        for batch in missing(plan, method, store, shard=shard, retry_errors=retry_errors)
    ]
    with progress("drawing", sum(len(batch.lacks) for batch in todo)) as counter:
        if todo:
            (executor or LocalExecutor()).draw(plan, pipe, store, todo, counter)
    complete_shifts(plan, pipe, store)
    return counter.done
