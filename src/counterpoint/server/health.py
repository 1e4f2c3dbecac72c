"""How one model fares: failures are counted, and three in a row of one stage make it not ready.

The stages are counted apart: a mark that fails each time comes after a drawing that succeeds each time.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from counterpoint.server.errors import from_exception
from counterpoint.server.metrics import Metrics

MOST_FAILURES = 3
"""Failures of one stage in a row after which the model is not ready until a trial picture succeeds."""

Stage = Literal["gate", "picture check", "draw", "marking"]


class Health:
    """Counts the failures of one model; used from several threads.

    Args:
        model: The model's name, for metrics.
        metrics: Where to count.
    """

    def __init__(self, model: str, metrics: Metrics) -> None:
        self.model, self.metrics = model, metrics
        self._in_a_row: Counter[Stage] = Counter()
        self._lock = threading.Lock()

    @property
    def is_failing(self) -> bool:
        """Whether a stage has failed `MOST_FAILURES` times in a row."""
        with self._lock:
            return any(count >= MOST_FAILURES for count in self._in_a_row.values())

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
    def watch(self, stage: Stage) -> Iterator[None]:
        """Count what comes of the block; a refusal (a 4xx) is neither a failure nor a success."""
        try:
            yield
        except Exception as error:
            if from_exception(error).status >= 500:
                self.failed(stage, error)
            raise
        self.succeeded(stage)
