"""A look at the scheduler's steps, for the time of one call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def after_each_step(scheduler: Any, after_step: Callable[[], None]) -> Iterator[None]:
    """Call `after_step` after each `scheduler.step` in the block; the instance's own attributes are put back."""
    step, own = scheduler.step, scheduler.__dict__.get("step")

    @functools.wraps(step)  # pipelines look at its signature
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = step(*args, **kwargs)
        after_step()
        return result

    scheduler.step = wrapped
    try:
        yield
    finally:
        if own is None:
            del scheduler.step
        else:
            scheduler.step = own
