"""The application: routes, errors in OpenAI's shape, and the stops that each request passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from counterpoint import __version__
from counterpoint.interfaces import CounterpointError
from counterpoint.server.access_log import AccessLog
from counterpoint.server.auth import OPEN_PATHS, Auth
from counterpoint.server.body_limit import BodyLimit
from counterpoint.server.checks import checks_router
from counterpoint.server.disconnect import WatchDisconnect
from counterpoint.server.errors import ApiError, from_exception
from counterpoint.server.images import EDITS, images_router
from counterpoint.server.logs import log_failure
from counterpoint.server.operations import operations_router
from counterpoint.server.service import Service


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application; its start loads the models, its end drains them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await asyncio.to_thread(service.stop)

    settings = service.settings
    app = FastAPI(
        title="counterpoint",
        version=__version__,
        lifespan=lifespan,
        docs_url="/docs" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    for router in (images_router(service), checks_router(service), operations_router(service)):
        app.include_router(router)
    for kind in (ApiError, CounterpointError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer_error)
    keys = [key.get_secret_value() for key in settings.api_keys]
    app.add_middleware(WatchDisconnect)  # the innermost; each next one stands outside of those before
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        most_in_flight=settings.max_bodies_bytes,
        unread=OPEN_PATHS,
        forms=frozenset({EDITS}),
    )
    app.add_middleware(Auth, keys=keys)
    app.add_middleware(AccessLog, metrics=service.metrics, log_key=service.log_key)
    return app


async def _answer_error(request: Request, error: Exception) -> Response:
    told = from_exception(error)
    service: Service = request.app.state.service
    log: dict[str, Any] = request.scope["state"].setdefault("log", {})
    service.note_error(told, log)
    if told.status >= 500 and not isinstance(error, ApiError):
        log_failure("request_failed", error, request_id=request.state.request_id, code=told.code)
    return told.response()
