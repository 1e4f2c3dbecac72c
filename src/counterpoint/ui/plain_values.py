"""The stop for what Gradio would act on before the page sees it: values that are more than a text or a number.

In any component's input, Gradio takes an object with a path and a type for a file. It fetches the file where the path
is an address, else it copies it into its cache, whatever it is: a visitor could have addresses asked, local files read,
or the server held up by a pipe that nobody writes to. No part of the page sends such objects, so none gets through.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD", "OPTIONS")
"""Methods that carry no values."""


class PlainValues:
    """Lets bodies pass that are flat; any other is answered 400, and nothing of it is repeated.

    Args:
        app: What comes next; it gets what was understood here, written anew, so that nobody reads it otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400, or go on. `server.body_limit` stands outside of this: the body is bounded, and one message."""
        if scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
            return
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body = None if message.get("more_body", False) else _flat(message.get("body", b""))
        if body is None:
            await PlainTextResponse("Texts, numbers and yes or no are taken, nothing else.", 400)(scope, receive, send)
            return
        first: list[Message] = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def replay() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, replay, send)


def _flat(body: bytes) -> dict[str, Any] | None:
    """Return a body's fields; None where it is no JSON object, or a value is one that no part of the page sends."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and all(map(_is_allowed, fields, fields.values())) else None


def _is_allowed(field: str, value: object) -> bool:
    """Whether a field holds a plain value; in `data` a list of them, in `event_data` an object of them, too."""
    if field == "data":
        return isinstance(value, list) and all(map(_is_plain, value))
    if field == "event_data" and isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return _is_plain(value)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
