"""The body is read here once, bounded in bytes, seconds and parts, whatever its headers say; so is the sum of all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterpoint.server.errors import ApiError, unavailable

SLOWEST_SECONDS = 30.0
"""A body that takes longer is refused: slow senders must not hold places."""
MOST_IN_FLIGHT = 256 * 2**20
RETRY_SECONDS = 5
MOST_PARTS = 2**17
"""Most bytes of a JSON body that begin a list, an object or a further part: 32 texts of 4000 commas have fewer.

Each part becomes an object of Python, of up to some hundred bytes, in the thread that answers everybody.
"""


class BodyLimit:
    """Hand on the whole body as one message; used from one event loop.

    Args:
        app: What comes next.
        max_bytes: Most bytes of a body.
        most_in_flight: Most bytes of all bodies together, those that still arrive and those whose requests are under
            way.
        unread: Paths whose body is left where it is, and handed on as empty: strangers are to hold nothing here.
        forms: Paths whose body nobody takes for JSON: files may hold any bytes.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        most_in_flight: int = MOST_IN_FLIGHT,
        *,
        unread: frozenset[str] = frozenset(),
        forms: frozenset[str] = frozenset(),
    ) -> None:
        self.app, self.max_bytes, self.most_in_flight = app, max_bytes, most_in_flight
        self.unread, self.forms = unread, forms
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 408, 413 or 503, or go on with the body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        share = _Share()
        try:
            body = b"" if scope["path"] in self.unread else await self._read(share, receive)
            if body is not None:  # else the client has gone
                if scope["path"] not in self.forms:
                    _check_parts(body)
                await self._go_on(body, scope, receive, send)
        except _Refused as refused:
            await refused.error.send(scope, receive, send)
        finally:
            self.in_flight -= share.size

    async def _read(self, share: _Share, receive: Receive) -> bytes | None:
        """Return the body, its bytes added to `share` as they come; None where the client has gone.

        Raises:
            _Refused: It is too large or too slow, or all bodies together are too large.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(SLOWEST_SECONDS):
                while (message := await receive())["type"] != "http.disconnect":
                    part = message.get("body", b"")
                    self._check(len(body), len(part))
                    body += part
                    share.size += len(part)
                    self.in_flight += len(part)
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            told = f"body: allowed: sent within {SLOWEST_SECONDS:g} seconds"
            raise _Refused(ApiError(408, "request_timeout", told, param="body")) from None
        return None

    def _check(self, have: int, more: int) -> None:
        """Refuse `more` bytes that have no room, beside the `have` bytes of the same body or beside all others."""
        if have + more > self.max_bytes:
            told = f"body: allowed: at most {self.max_bytes} bytes"
            raise _Refused(ApiError(413, "body_too_large", told, param="body"))
        if self.in_flight + more > self.most_in_flight:
            told = f"body: allowed: at most {self.most_in_flight} bytes in all requests under way"
            raise _Refused(unavailable("bodies_full", told, retry_after=RETRY_SECONDS))

    async def _go_on(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["body"] = body
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, replay, send)


def _check_parts(body: bytes) -> None:
    """Refuse what would be hundreds of megabytes when it is parsed."""
    if sum(map(body.count, (b"[", b"{", b","))) > MOST_PARTS:
        told = f"body: allowed: JSON with at most {MOST_PARTS} of the bytes [ {{ and ,"
        raise _Refused(ApiError(413, "body_too_large", told, param="body"))


@dataclass
class _Share:
    """What one request holds of `in_flight`, in bytes."""

    size: int = 0


class _Refused(Exception):
    def __init__(self, error: ApiError) -> None:
        super().__init__(error.code)
        self.error = error
