"""`POST /v1/images/generations` and `POST /v1/images/edits`."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request, Response

from counterpoint.server.forms import read_form
from counterpoint.server.policy import edit_plan_of, plan_of
from counterpoint.server.responses import respond
from counterpoint.server.schemas import ImageRequest
from counterpoint.server.service import Service

EDITS = "/v1/images/edits"


def images_router(service: Service) -> APIRouter:
    """Return the two routes."""
    router = APIRouter()

    @router.post("/v1/images/generations")
    async def generate(request: Request, body: ImageRequest) -> Response:
        plan = plan_of(body, service.settings)
        return await respond(service, plan, request, hashlib.sha256(request.state.body).hexdigest())

    @router.post(EDITS)
    async def edit(request: Request) -> Response:
        form = await read_form(request)
        return await respond(service, edit_plan_of(form.fields, form.upload, service.settings), request, form.sha256)

    return router
