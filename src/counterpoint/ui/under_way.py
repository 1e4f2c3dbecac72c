"""What is being drawn for whom, so that each visitor can stop their own picture, and a closed tab stops its."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """The visitor does not want the picture any more."""


class UnderWay:
    """Stops by visitor; one picture each at a time."""

    def __init__(self) -> None:
        self._stops: dict[str, threading.Event] = {}

    @contextmanager
    def drawing(self, visitor: str) -> Iterator[Callable[[], None]]:
        """Yield what is to be called after each step: it raises once the visitor has asked to stop.

        Args:
            visitor: Name of the visitor's session.
        """
        stop = self._stops[visitor] = threading.Event()

        def check() -> None:
            if stop.is_set():
                raise Stopped

        try:
            yield check
        finally:
            if self._stops.get(visitor) is stop:
                del self._stops[visitor]

    def stop(self, visitor: str) -> None:
        """Have a visitor's picture stopped after its present step; nothing where none is being drawn."""
        stop = self._stops.get(visitor)
        if stop is not None:
            stop.set()
