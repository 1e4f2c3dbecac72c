"""How much each caller may have under way: one must not fill a queue for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from counterpoint.server.errors import ApiError


class Quota:
    """Counts pictures, or what else is asked for, by caller; used from one event loop.

    Args:
        most: Most of them of one caller.
        what: Their name, for messages.
    """

    def __init__(self, most: int, what: str = "pictures") -> None:
        self.most, self.what = most, what
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, caller: str, count: int) -> Iterator[None]:
        """Hold places while the block runs.

        Raises:
            ApiError: The caller has too many.
        """
        if self._held[caller] + count > self.most:
            message = f"Too many {self.what} under way: allowed: {self.most} at a time"
            raise ApiError(429, "rate_limit_exceeded", message, kind="rate_limit_error", retry_after=1)
        self._held[caller] += count
        try:
            yield
        finally:
            self._held[caller] -= count
            if not self._held[caller]:
                del self._held[caller]
