"""Run the server until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal

import uvicorn

from counterpoint.server.app import create_app
from counterpoint.server.config import Settings
from counterpoint.server.head_deadline import TimedHeads
from counterpoint.server.logs import configure_logging, log_event
from counterpoint.server.service import Service

IDLE_SECONDS = 30
MOST_HEADER_BYTES = 32 * 1024


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then what is under way is finished, up to `drain_seconds`."""
    configure_logging()
    service = Service(settings)
    server = make_server(settings, service)
    log_event(
        "starting", host=settings.host, port=settings.port, models=list(settings.models), keys=len(settings.api_keys)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn puts its own in place, and raises the signal again when it has drained: end with 0 then.
        signal.signal(number, lambda *_: None)
    server.run()
    if "loading" in service.states().values():
        # Loading cannot be interrupted, and an interpreter that ends around it aborts. All that was asked is answered.
        logging.shutdown()
        os._exit(0)


def make_server(settings: Settings, service: Service) -> uvicorn.Server:
    """Return uvicorn, ready to run: its own access log is off, as it prints what was typed."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(service),
            host=settings.host,
            port=settings.port,
            http=TimedHeads,  # on h11: the other parser, taken where it is installed, bounds no header
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=settings.max_connections + 1,  # uvicorn refuses from this number on
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=settings.drain_seconds,
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        )
    )
