"""Draw on a Ray cluster: a pool of workers, each with its own model, that write into the run's folder themselves.

The driver decides what is missing and hands out batches; a worker says only how many pictures it wrote. So nothing
large travels, and a worker that dies costs the batch it was drawing: a new one takes its place, and the batch is
handed out again. What the dead one had written stays, and is written again under the same key at most.

All nodes must reach the folder and the model under the same paths, and run the same code: a worker whose model or
code is another than the plan's refuses to draw, and the run stops.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from counterpoint.bench.batch_drawer import Batch, BatchDrawer
from counterpoint.bench.code_version import versions
from counterpoint.bench.model import fingerprint, load_pipeline
from counterpoint.bench.plan import Plan
from counterpoint.bench.progress import Counter
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput

MOST_TRIES = 3
"""Workers that may die at one batch before it is left undone."""
MOST_LOSSES = 6
"""Workers that may die one after the other, with nothing drawn between, before the run stops."""
CPUS = 0.5
"""Share of a core that a worker reserves; it leaves room for what else runs on the cluster."""
START_SECONDS = 600
"""How long the first worker may take to load its model."""


class Worker:
    """One worker process: loads the model once, then draws what it is given."""

    def __init__(self, plan: Plan, root: str) -> None:
        pipe = load_pipeline(plan.recipe.model)
        if versions() != plan.versions:
            raise InvalidInput("worker", "another version of the code or its packages", "the driver's")
        if fingerprint(pipe) != plan.model["fingerprint"]:
            raise InvalidInput("worker", "another model", "the driver's")
        self._drawer = BatchDrawer(plan, pipe, Store(Path(root)))

    def ready(self) -> int:
        """Return 0, the number of pictures drawn, once the model is loaded."""
        return 0

    def draw(self, batch: Batch) -> int:
        """Draw a batch; return the number of pictures written."""
        written: list[None] = []
        self._drawer.draw(batch, lambda: written.append(None))
        return len(written)


@dataclass
class _Order:
    """A batch, and how many workers it has cost."""

    batch: Batch
    tries: int = 0


class RayExecutor:
    """Draws on the cluster of `RAY_ADDRESS`, or on a local one that is started for the run.

    Args:
        workers: Processes that draw, from 1; None = one for each GPU of the cluster, or for each core but one.
        gpus: GPUs of a worker, a fraction where several share one; None = one where the cluster has any.

    Raises:
        InvalidInput: There cannot be so many.
    """

    def __init__(self, *, workers: int | None = None, gpus: float | None = None) -> None:
        if workers is not None and workers < 1:
            raise InvalidInput("workers", workers, "a whole number from 1")
        if gpus is not None and gpus < 0:
            raise InvalidInput("worker_gpus", gpus, "a number from 0")
        self._workers, self._gpus = workers, gpus

    def draw(self, plan: Plan, pipe: Any, store: Store, batches: Sequence[Batch], counter: Counter) -> None:
        """Draw what the batches lack; see `Executor`. The model is loaded by each worker, not taken from here."""
        is_ours = not ray.is_initialized()
        if is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            ray.init(include_dashboard=False, log_to_driver=False)
        try:
            _Pool(plan, store, self._gpus_each(), self._count(len(batches))).draw(batches, counter)
        except RayTaskError as error:  # a full disk, most likely: say what happened, without the worker's traceback
            raise error.cause from None
        finally:
            if is_ours:
                ray.shutdown()

    def _gpus_each(self) -> float:
        if self._gpus is not None:
            return self._gpus
        return 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0

    def _count(self, batches: int) -> int:
        resources, each = ray.cluster_resources(), self._gpus_each()
        places = resources["GPU"] / each if each and "GPU" in resources else resources.get("CPU", 1) - 1
        return max(1, min(self._workers or int(places), batches))


class _Pool:
    """Workers and what they are doing."""

    def __init__(self, plan: Plan, store: Store, gpus: float, count: int) -> None:
        self._plan, self._root = ray.put(plan), str(store.root.resolve())
        self._kind = ray.remote(Worker).options(num_cpus=CPUS, num_gpus=gpus)
        self._under_way: dict[Any, tuple[Any, _Order | None]] = {}
        self._losses = 0
        for _ in range(count):
            self._hire()

    def draw(self, batches: Sequence[Batch], counter: Counter) -> None:
        waiting = deque(_Order(batch) for batch in batches)
        first, _ = ray.wait(list(self._under_way), timeout=START_SECONDS)
        if not first:
            raise InvalidInput("workers", "none that starts", "a cluster with room for one; see `ray status`")
        while waiting or any(order for _, order in self._under_way.values()):
            (done,), _ = ray.wait(list(self._under_way))
            worker, order = self._under_way.pop(done)
            try:
                drawn = ray.get(done)
            except (RayActorError, OutOfMemoryError) as error:  # killed for its memory: Ray says so by another name
                self._replace(error)
                if order is not None:
                    _hand_back(order, waiting)
                continue
            if drawn:
                counter.advance(drawn)
                self._losses = 0
            if waiting:
                order = waiting.popleft()
                self._under_way[worker.draw.remote(order.batch)] = worker, order

    def _hire(self) -> None:
        worker = self._kind.remote(self._plan, self._root)
        self._under_way[worker.ready.remote()] = worker, None

    def _replace(self, error: RayActorError | OutOfMemoryError) -> None:
        """Put a new worker in the place of a dead one, unless it could not start, or they all die."""
        if isinstance(error, RayActorError) and error.actor_init_failed:
            raise InvalidInput("workers", "one that cannot start", str(error).strip().splitlines()[-1]) from None
        self._losses += 1
        if self._losses >= MOST_LOSSES:
            raise InvalidInput("workers", f"{self._losses} that died one after the other", "workers that live")
        self._hire()


def _hand_back(order: _Order, waiting: deque[_Order]) -> None:
    """Let the next worker have a dead one's batch, unless too many have died at it."""
    order.tries += 1
    if order.tries < MOST_TRIES:
        waiting.appendleft(order)
    else:
        sys.stderr.write(f"{MOST_TRIES} workers died at one batch; it is left undone\n")
