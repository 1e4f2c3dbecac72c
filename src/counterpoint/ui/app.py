"""The application around the page, and the process that serves it.

As in `server.app`, host names and keys are looked at before anything is read.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI

from counterpoint.interfaces import InvalidInput
from counterpoint.server.auth import Auth
from counterpoint.server.body_limit import BodyLimit
from counterpoint.server.config import Settings, is_loopback
from counterpoint.server.connections import bounded
from counterpoint.server.loading import load_pipe, wrap
from counterpoint.server.logs import configure_logging
from counterpoint.ui.page import Page
from counterpoint.ui.plain_values import PlainValues
from counterpoint.ui.quiet import quiet_gradio
from counterpoint.ui.stops import BrowserLogin, SecurityHeaders, UsedRoutes
from counterpoint.ui.studio import Studio
from counterpoint.ui.theme import theme

STYLE = Path(__file__).parent / "style.css"
DRAIN_SECONDS = 2
"""An open page holds a connection; it is not waited for longer."""


def create_app(studio: Studio) -> FastAPI:
    """Return the application around a studio."""
    quiet_gradio()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        app, Page(studio).build(), path="/", footer_links=[], run_history=False, show_error=False, ssr_mode=False,
        mcp_server=False, pwa=False, enable_monitoring=False, theme=theme(), css_paths=[STYLE],
        app_kwargs=dict.fromkeys(("docs_url", "redoc_url", "openapi_url")),
    )  # fmt: skip
    settings = studio.settings
    app.add_middleware(PlainValues)  # each next one stands outside of those before
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, most_in_flight=settings.max_bodies_bytes)
    app.add_middleware(UsedRoutes)
    if settings.api_keys:
        app.add_middleware(BrowserLogin, keys=[key.get_secret_value() for key in settings.api_keys])
    else:
        app.add_middleware(Auth, keys=[])  # loopback names only
    app.add_middleware(SecurityHeaders)
    return app


def make_server(studio: Studio) -> uvicorn.Server:
    """Return uvicorn, ready to run on a socket, with the server's bounds of connections."""
    return uvicorn.Server(bounded(create_app(studio), studio.settings, timeout_graceful_shutdown=DRAIN_SECONDS))


def run(settings: Settings, *, is_research: bool, ready: Callable[[str], None]) -> None:
    """Load the models and serve the page until SIGTERM or SIGINT.

    Args:
        settings: The operator's.
        is_research: Whether visitors may see plain pictures.
        ready: Called with the page's address when it can be opened.

    Raises:
        InvalidInput: A model cannot be loaded, or research mode would be open to other machines.
        OSError: The port is taken.
    """
    if is_research and not is_loopback(settings.host):
        raise InvalidInput("host", settings.host, "a loopback address with --research: plain pictures stay here")
    configure_logging()
    with socket.create_server((settings.host, settings.port), family=_family(settings.host)) as listening:
        models = {name: wrap(load_pipe(place), settings) for name, place in settings.models.items()}
        server = make_server(Studio(settings, models, is_research=is_research))
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn puts its own in place, and raises the signal again when it has stopped: end with 0 then.
            signal.signal(number, lambda *_: None)
        ready(_address(settings.host, listening.getsockname()[1]))
        server.run(sockets=[listening])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _address(host: str, port: int) -> str:
    return f"http://[{host.strip('[]')}]:{port}" if ":" in host else f"http://{host}:{port}"
