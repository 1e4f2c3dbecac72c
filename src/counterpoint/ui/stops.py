"""The stops that each request to the page passes: headers, keys, and the few routes that the page uses."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "content-security-policy": (
        # Gradio evaluates templates and writes styles into elements; nothing may come from, or go to, elsewhere.
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
USED_ROUTES = (
    "/config", "/theme.css", "/assets/", "/static/", "/favicon.ico", "/manifest.json", "/gradio_api/queue/",
    "/gradio_api/heartbeat/", "/gradio_api/startup-events", "/gradio_api/info", "/gradio_api/cancel",
)  # fmt: skip
"""Beginnings of the paths that are served; Gradio's uploads, files, proxies and logins are not among them."""


class SecurityHeaders:
    """Adds SECURITY_HEADERS to every answer.

    Args:
        app: What comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, and add the headers on the way back."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BrowserLogin:
    """Lets browsers pass that know a key, as the password of any user name (HTTP Basic), on every route.

    Args:
        app: What comes next.
        keys: The operator's API keys, at least one.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app = app
        self.digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, or go on."""
        if scope["type"] == "http" and not self._knows_a_key(scope):
            challenge = {"WWW-Authenticate": 'Basic realm="counterpoint: any name, a key as password", charset="UTF-8"'}
            answer = PlainTextResponse("A key is needed.", 401, challenge)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _knows_a_key(self, scope: Scope) -> bool:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, coded = header.partition(b" ")
        try:
            password = base64.b64decode(coded.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            password = b""
        digest = hashlib.sha256(password).digest()
        fits = [hmac.compare_digest(digest, known) for known in self.digests]  # all of them: no early exit
        return scheme.lower() == b"basic" and any(fits)


class UsedRoutes:
    """Lets requests pass that the page itself makes; any other is answered 404.

    Args:
        app: What comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404, or go on."""
        if scope["type"] == "http" and scope["path"] != "/" and not scope["path"].startswith(USED_ROUTES):
            await PlainTextResponse("There is no such page.", 404)(scope, receive, send)
            return
        await self.app(scope, receive, send)
