"""The body is read here once, bounded in bytes and seconds, whatever its headers say."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterpoint.server.errors import ApiError

SLOWEST_SECONDS = 30.0
"""A body that takes longer is refused: slow senders must not hold places."""


class BodyLimit:
    """Hand on the whole body as one message.

    Args:
        app: What comes next.
        max_bytes: Most bytes of a body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 or 408, or go on with the body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read(receive), SLOWEST_SECONDS)
        except TimeoutError:
            message = f"body: allowed: sent within {SLOWEST_SECONDS:g} seconds"
            await ApiError(408, "request_timeout", message, param="body").response()(scope, receive, send)
            return
        except _TooLarge:
            message = f"body: allowed: at most {self.max_bytes} bytes"
            await ApiError(413, "body_too_large", message, param="body").response()(scope, receive, send)
            return
        if body is None:  # the client has gone
            return
        scope.setdefault("state", {})["body"] = body
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self.max_bytes:
                raise _TooLarge
            if not message.get("more_body", False):
                return bytes(body)


class _TooLarge(Exception):
    pass
