"""How one model fares: three failures in a row of one stage make it not ready, and so does work that does not end.

The stages are counted apart: a mark that fails each time comes after a drawing that succeeds each time. What hangs
raises nothing, so the time of each piece of work is looked at, too.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from counterpoint.server.errors import from_exception
from counterpoint.server.metrics import Metrics

MOST_FAILURES = 3
"""Failures of one stage in a row after which the model is not ready until a trial picture succeeds."""

Stage = Literal["gate", "picture check", "draw", "marking"]


class Health:
    """Counts the failures of one model and times its work; used from several threads.

    Args:
        model: The model's name, for metrics.
        metrics: Where to count.
        longest: Seconds after which a check, a mark or a step of a drawing that is not done counts as hanging.
        clock: Seconds that only grow.
    """

    def __init__(
        self, model: str, metrics: Metrics, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.model, self.metrics, self.longest, self.clock = model, metrics, longest, clock
        self._in_a_row: Counter[Stage] = Counter()
        self._began: dict[int, float] = {}
        """When each thread began what it is doing."""
        self._lock = threading.Lock()

    @property
    def is_failing(self) -> bool:
        """Whether a stage has failed `MOST_FAILURES` times in a row."""
        with self._lock:
            return any(count >= MOST_FAILURES for count in self._in_a_row.values())

    @property
    def is_hanging(self) -> bool:
        """Whether something has been under way for longer than `longest`."""
        with self._lock:
            return any(self.clock() - began > self.longest for began in self._began.values())

    def failed(self, stage: Stage, error: Exception) -> None:
        """Count a failure."""
        self.metrics.failures.labels(model=self.model, code=from_exception(error).code).inc()
        with self._lock:
            self._in_a_row[stage] += 1

    def succeeded(self, stage: Stage) -> None:
        """End the row of a stage."""
        with self._lock:
            self._in_a_row.pop(stage, None)

    def reset(self) -> None:
        """End all rows: every stage has been tried."""
        with self._lock:
            self._in_a_row.clear()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time the block, which is this thread's work."""
        self.step()
        try:
            yield
        finally:
            with self._lock:
                self._began.pop(threading.get_ident(), None)

    def step(self) -> None:
        """Begin the time of this thread's work anew: it goes on."""
        with self._lock:
            self._began[threading.get_ident()] = self.clock()

    @contextmanager
    def watch(self, stage: Stage) -> Iterator[None]:
        """Time the block and count what comes of it; a refusal (a 4xx) is neither a failure nor a success."""
        try:
            with self.timed():
                yield
        except Exception as error:
            if from_exception(error).status >= 500:
                self.failed(stage, error)
            raise
        self.succeeded(stage)
