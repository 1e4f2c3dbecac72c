"""Run the server until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal

import uvicorn

from counterpoint.server.app import create_app
from counterpoint.server.config import Settings
from counterpoint.server.connections import bounded
from counterpoint.server.logs import configure_logging, log_event
from counterpoint.server.service import Service


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
    """Return uvicorn, ready to run."""
    config = bounded(
        create_app(service),
        settings,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    return uvicorn.Server(config)
