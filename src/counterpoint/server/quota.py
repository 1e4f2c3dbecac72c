"""How many pictures each caller may have under way: one must not fill the queue for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from counterpoint.server.errors import ApiError


class Quota:
    """Counts pictures by caller; used from one event loop.

    Args:
        max_pictures: Most pictures of one caller.
    """

    def __init__(self, max_pictures: int) -> None:
        self.max_pictures = max_pictures
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, caller: str, pictures: int) -> Iterator[None]:
        """Hold places while the block runs.

        Raises:
            ApiError: The caller has too many.
        """
        if self._held[caller] + pictures > self.max_pictures:
            message = f"Too many pictures under way: allowed: {self.max_pictures} at a time"
            raise ApiError(429, "rate_limit_exceeded", message, kind="rate_limit_error", retry_after=1)
        self._held[caller] += pictures
        try:
            yield
        finally:
            self._held[caller] -= pictures
            if not self._held[caller]:
                del self._held[caller]
