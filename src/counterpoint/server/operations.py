"""What operators and balancers ask: /livez, /readyz, /metrics, /version, and callers: /v1/models."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from counterpoint import __version__
from counterpoint.png import package_versions
from counterpoint.server.metrics import CONTENT_TYPE
from counterpoint.server.service import Service

PROBES = ["GET", "HEAD"]
"""Some balancers probe by HEAD."""


def operations_router(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    started = int(time.time())

    @router.api_route("/livez", methods=PROBES)
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.api_route("/readyz", methods=PROBES)
    async def readyz() -> Response:
        ready = service.is_ready
        body = {"status": "ready" if ready else "not ready", "models": service.states()}
        return JSONResponse(body, 200 if ready else 503, None if ready else {"Retry-After": "5"})

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type=CONTENT_TYPE)

    @router.get("/version")
    async def version() -> dict[str, Any]:
        return {"version": __version__, "packages": package_versions()}

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        data = [
            {"id": name, "object": "model", "created": started, "owned_by": "operator", "state": state}
            for name, state in service.states().items()
        ]
        return {"object": "list", "data": data}

    return router
