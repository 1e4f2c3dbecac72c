"""The same `Idempotency-Key` twice draws once.

    first answer is there, same body     that answer again
    first request is under way           409
    another body                         422

Kept in memory, for one caller's key, bounded in seconds and bytes; failures are not kept, so that a
request can be tried again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Response

from counterpoint.interfaces import InvalidInput
from counterpoint.server.errors import ApiError

LONGEST_KEY = 255
REPLAYED = "idempotency-replayed"
"""Header of an answer that was kept."""


@dataclass(kw_only=True)
class _Kept:
    body_sha256: str
    made: float
    response: Response | None = None

    @property
    def size(self) -> int:
        return 0 if self.response is None else len(self.response.body)


class KeptAnswers:
    """Answers by caller and key; used from one event loop.

    Args:
        max_seconds: How long an answer is kept.
        max_bytes: Memory for all of them; the oldest go first.
        clock: Seconds that only grow.
    """

    def __init__(self, max_seconds: float, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_seconds, self.max_bytes, self.clock = max_seconds, max_bytes, clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def once(self, caller: str, key: str, body_sha256: str, make: Callable[[], Awaitable[Response]]) -> Response:
        """Return the kept answer, or make it.

        Raises:
            InvalidInput: The key is empty or too long.
            ApiError: The key is in use by a request under way, or by another body.
        """
        if not 1 <= len(key) <= LONGEST_KEY:
            raise InvalidInput("Idempotency-Key", f"{len(key)} characters", f"1..{LONGEST_KEY} characters")
        self._forget()
        name = (caller, key)
        if (kept := self._kept.get(name)) is not None:
            return _again(kept, body_sha256)
        entry = self._kept[name] = _Kept(body_sha256=body_sha256, made=self.clock())
        try:
            response = await make()
            if response.status_code == 200:
                entry.response = response
        finally:
            if entry.response is None:
                del self._kept[name]
        return response

    def _forget(self) -> None:
        now = self.clock()
        done = [name for name, kept in self._kept.items() if kept.response is not None]
        size = sum(kept.size for kept in self._kept.values())
        for name in done:  # in the order in which they were made
            if now - self._kept[name].made <= self.max_seconds and size <= self.max_bytes:
                break
            size -= self._kept.pop(name).size


def _again(kept: _Kept, body_sha256: str) -> Response:
    if kept.body_sha256 != body_sha256:
        raise ApiError(422, "idempotency_mismatch", "Idempotency-Key: used with another body", param="Idempotency-Key")
    if kept.response is None:
        raise ApiError(
            409, "idempotency_in_progress", "Idempotency-Key: the first request is under way", param="Idempotency-Key"
        )
    response = kept.response
    again = Response(response.body, 200, media_type=response.media_type)
    again.headers[REPLAYED] = "true"
    return again
