"""Know that a client has gone while its pictures are drawn.

Pure ASGI: a middleware that takes the request apart and puts it together again would hide the
disconnect from the application. Stands after `BodyLimit`, which has read the body: what arrives
after the first message can only be the end of the connection.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class WatchDisconnect:
    """Set `scope["state"]["gone"]`, an `asyncio.Event`, when the client goes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, and watch beside it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        gone = asyncio.Event()
        scope.setdefault("state", {})["gone"] = gone
        first: list[Message] = [await receive()]

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        async def replay() -> Message:
            if first:
                return first.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        watcher = asyncio.create_task(watch())
        try:
            await self.app(scope, replay, send)
        finally:
            watcher.cancel()
