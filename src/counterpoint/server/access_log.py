"""The outermost stop: a request id, one log line and one count a request, and no exception gets out."""

from __future__ import annotations

import secrets
import time
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterpoint.server.errors import from_exception
from counterpoint.server.logs import log_event, log_failure, text_hash
from counterpoint.server.metrics import Metrics

CLIENT_GONE = 499
"""Status in log and metrics where nobody was there to be answered."""


class AccessLog:
    """Number, time, count and log each request.

    Args:
        app: What comes next.
        metrics: Where to count.
        log_key: Key of the hash that names a caller.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log_key: bytes) -> None:
        self.app, self.metrics, self.log_key = app, metrics, log_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, and write down what came of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), CLIENT_GONE
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = f"req_{secrets.token_hex(12)}"

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["cache-control"] = "no-store"
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self.app(scope, receive, numbered)
        except Exception as error:
            log_failure("request_failed", error, request_id=request_id)
            if status == CLIENT_GONE:  # nothing was sent yet
                await from_exception(error).send(scope, receive, numbered)
        finally:
            gone = "gone" in state and state["gone"].is_set()
            status = CLIENT_GONE if gone and state.get("abandoned") else status
            route = getattr(scope.get("route"), "path", "unknown")  # the pattern, never what was typed
            seconds = time.perf_counter() - started
            self.metrics.requests.labels(route=route, status=str(status)).inc()
            self.metrics.request_seconds.labels(route=route).observe(seconds)
            log_event(
                "request", request_id=request_id, route=route, status=status, seconds=round(seconds, 4),
                caller=self._caller(state), **state.get("log", {}),
            )  # fmt: skip

    def _caller(self, state: dict[str, Any]) -> str | None:
        """Return the key's name in the log: a keyed hash, so that no guessed key can be tried against the log."""
        return text_hash(self.log_key, state["caller"]) if state.get("caller") else None
