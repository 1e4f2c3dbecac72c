"""API keys, on every route but /livez, compared in constant time.

Without keys the server listens on loopback only (see config.py) and answers loopback Host names
only, so that a web page cannot reach it by pointing its own name at this machine.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from counterpoint.server.config import is_loopback
from counterpoint.server.errors import ApiError

OPEN_PATHS = frozenset({"/livez"})


class Auth:
    """Let requests with a known key pass; sets `scope["state"]["caller"]`, the key's hash, which stays inside.

    The key comes as `Authorization: Bearer KEY`, or as `x-api-key: KEY` where there is no such header.

    Args:
        app: What comes next.
        keys: Known keys; none = no key is asked for.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app = app
        self.digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 403, or go on."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            refusal = self._check_key(scope) if self.digests else _check_host(scope)
            if refusal is not None:
                await refusal.send(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check_key(self, scope: Scope) -> ApiError | None:
        scheme, _, key = _header(scope, b"authorization").partition(b" ")
        if not scheme:  # how LiteLLM sends the key of a guardrail
            scheme, key = b"bearer", _header(scope, b"x-api-key")
        digest = hashlib.sha256(key.strip()).digest()
        # All keys are compared, whichever fits: no early exit.
        fits = [hmac.compare_digest(digest, known) for known in self.digests]
        if scheme.lower() != b"bearer" or not any(fits):
            message = "A valid API key is needed: Authorization: Bearer KEY"
            return ApiError(401, "invalid_api_key", message, kind="authentication_error")
        scope.setdefault("state", {})["caller"] = digest.hex()
        return None


def _check_host(scope: Scope) -> ApiError | None:
    host = _header(scope, b"host").decode("latin-1")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if is_loopback(name):
        return None
    return ApiError(403, "host_not_allowed", "Host: allowed without API keys: a loopback address", param="Host")


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for key, value in scope["headers"] if key == name), b"")
