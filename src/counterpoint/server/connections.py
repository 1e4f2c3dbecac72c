"""What bounds connections, their heads and their idleness: the same for the server and for the web page."""

from __future__ import annotations

from typing import Any

import uvicorn
from starlette.types import ASGIApp

from counterpoint.server.config import Settings
from counterpoint.server.head_deadline import TimedHeads

IDLE_SECONDS = 30
MOST_HEADER_BYTES = 32 * 1024


def bounded(app: ASGIApp, settings: Settings, **options: Any) -> uvicorn.Config:
    """Return uvicorn's configuration: its own access log is off, as it prints what was typed.

    Args:
        app: What answers.
        settings: The operator's.
        options: What else uvicorn takes.
    """
    return uvicorn.Config(
        app,
        http=TimedHeads,  # on h11: the other parser, taken where it is installed, bounds no header
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_connections + 1,  # uvicorn refuses from this number on
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        **options,
    )
