"""Who draws the missing pictures: this process, or workers somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

from counterpoint.bench.batch_drawer import Batch, BatchDrawer
from counterpoint.bench.plan import Plan
from counterpoint.bench.progress import Counter
from counterpoint.bench.store import Store

ExecutorName = Literal["local", "ray"]
EXECUTORS: tuple[ExecutorName, ...] = get_args(ExecutorName)


class Executor(Protocol):
    """Draws batches into a store; whatever it is killed at, the store holds whole pictures only."""

    def draw(self, plan: Plan, pipe: Any, store: Store, batches: Sequence[Batch], counter: Counter) -> None:
        """Draw what the batches lack.

        Args:
            plan: A plan with its texts.
            pipe: The model, loaded here.
            store: Where pictures and records go.
            batches: What to draw, a method's batches after another's.
            counter: Told of each picture that is in the store.

        Raises:
            OSError: The disk is full.
        """
        ...


class LocalExecutor:
    """Draws in this process, batch after batch."""

    def draw(self, plan: Plan, pipe: Any, store: Store, batches: Sequence[Batch], counter: Counter) -> None:
        """Draw what the batches lack; see `Executor`."""
        drawer = BatchDrawer(plan, pipe, store)
        for batch in batches:
            drawer.draw(batch, counter.advance)
