"""A look at the scheduler's steps, for the time of one call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class StepWatch:
    """Calls `after_step` after each `scheduler.step` while it is attached.

    Args:
        scheduler: The instance; its own attributes are put back.
        after_step: What to call.
    """

    def __init__(self, scheduler: Any, after_step: Callable[[], None]) -> None:
        self.scheduler, self.after_step = scheduler, after_step

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Watch in the block."""
        step, own = self.scheduler.step, self.scheduler.__dict__.get("step")

        @functools.wraps(step)  # pipelines look at its signature
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = step(*args, **kwargs)
            self.after_step()
            return result

        self.scheduler.step = wrapped
        try:
            yield
        finally:
            self._set(own)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the watch off in the block: a copy of the scheduler that is made there would step the original."""
        wrapped = self.scheduler.__dict__.pop("step", None)
        try:
            yield
        finally:
            self._set(wrapped)

    def _set(self, step: Any) -> None:
        if step is None:
            self.scheduler.__dict__.pop("step", None)
        else:
            self.scheduler.step = step
