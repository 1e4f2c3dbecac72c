"""The response to a plan: in one piece or in parts, kept under an idempotency key or not."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from counterpoint.interfaces import InvalidInput
from counterpoint.server.events import stream
from counterpoint.server.fulfil import ClientGone, fulfil, while_wanted
from counterpoint.server.idempotency import REPLAYED
from counterpoint.server.logs import text_hash
from counterpoint.server.policy import Plan
from counterpoint.server.service import Service


async def respond(service: Service, plan: Plan, request: Request, content_sha256: str) -> Response:
    """Answer a request.

    Args:
        service: The server.
        plan: What was asked for.
        request: Who asks.
        content_sha256: Of what was sent; the same key with another one is an error.

    Raises:
        InvalidInput: The request cannot be fulfilled as it is.
        ApiError: It was refused, or the server cannot do it now.
    """
    request.state.log = {
        "model": plan.model, "n": plan.n, "steps": plan.settings.steps, "seed": plan.seed, "task": plan.settings.task,
        "prompt_chars": len(plan.prompt), "prompt_hmac": text_hash(service.log_key, plan.prompt),
    }  # fmt: skip
    caller, key = getattr(request.state, "caller", ""), request.headers.get("idempotency-key")
    if key is None:
        return await _respond(service, plan, request)
    if plan.partial_images is not None:
        raise InvalidInput("Idempotency-Key", "a key", "none with stream: true, as answers in parts are not kept")
    if service.kept is None:
        allowed = "none: this server has several replicas, and a repeated request may be drawn by another one"
        raise InvalidInput("Idempotency-Key", "a key", allowed)
    response = await service.kept.once(caller, key, content_sha256, lambda: _respond(service, plan, request))
    if REPLAYED in response.headers:
        del request.state.log["seed"]  # the plan's: nothing was drawn from it
        request.state.log["replayed"] = True
    return response


async def _respond(service: Service, plan: Plan, request: Request) -> Response:
    try:
        if plan.partial_images is not None:
            return await stream(service, plan, request)
        with service.quota.hold(getattr(request.state, "caller", ""), plan.n):
            work = fulfil(service, plan)
            body = await while_wanted(work, request.state.gone, service.settings.deadline_seconds)
    except ClientGone:
        request.state.abandoned = True
        return Response(status_code=499)
    request.state.log["actions"] = [entry["safety"]["action"] for entry in body["data"]]
    return JSONResponse(body)
