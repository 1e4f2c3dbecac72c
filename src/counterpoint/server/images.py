"""`POST /v1/images/generations`."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from counterpoint.server.answers import answer
from counterpoint.server.drawing import default_guidance
from counterpoint.server.errors import ApiError, blocked, unavailable
from counterpoint.server.logs import text_hash
from counterpoint.server.moderation import nearest_categories
from counterpoint.server.picture_queue import Order, QueueClosed, QueueFull
from counterpoint.server.policy import Plan, plan_of
from counterpoint.server.schemas import ImageRequest
from counterpoint.server.service import Service

Result = TypeVar("Result")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


def images_router(service: Service) -> APIRouter:
    """Return the route."""
    router = APIRouter()

    @router.post("/v1/images/generations")
    async def generate(request: Request, body: ImageRequest) -> Response:
        plan = plan_of(body, service.settings)
        request.state.log = {
            "model": plan.model, "n": plan.n, "steps": plan.settings.steps, "seed": plan.seed,
            "prompt_chars": len(plan.prompt), "prompt_hmac": text_hash(service.log_key, plan.prompt),
        }  # fmt: skip
        key = request.headers.get("idempotency-key")
        if key is None:
            return await _respond(service, plan, request)
        return await service.kept.once(
            getattr(request.state, "caller", ""),
            key,
            hashlib.sha256(request.state.body).hexdigest(),
            lambda: _respond(service, plan, request),
        )

    return router


async def _respond(service: Service, plan: Plan, request: Request) -> Response:
    caller = getattr(request.state, "caller", "")
    try:
        with service.quota.hold(caller, plan.n):
            body = await while_wanted(_draw(service, plan), request.state.gone, service.settings.deadline_seconds)
    except ClientGone:
        request.state.abandoned = True
        return Response(status_code=499)
    except ApiError as error:
        if error.details is not None:
            service.metrics.refusals.labels(stage=error.details["moderation_stage"]).inc()
        raise
    request.state.log["actions"] = [entry["safety"]["action"] for entry in body["data"]]
    return JSONResponse(body)


async def _draw(service: Service, plan: Plan) -> dict[str, Any]:
    """Review, queue, draw and encode; whatever ends this, the drawing ends with it."""
    worker = service.worker(plan.model)
    detection = await service.gate(plan.model).review(plan.prompt, plan.negative_prompt, plan.settings.safe_prompt)
    if detection.is_unsafe and plan.blocks_prompt:
        raise blocked("input", nearest_categories(detection), "The gate refused the prompt.")
    abandoned = threading.Event()
    orders = [
        Order(
            prompt=plan.prompt, negative_prompt=plan.negative_prompt, seed=plan.seed + index, settings=plan.settings,
            abandoned=abandoned,
        )
        for index in range(plan.n)
    ]  # fmt: skip
    try:
        worker.queue.put(orders)
        drawn = await asyncio.gather(*(asyncio.wrap_future(order.result) for order in orders))
    except QueueFull:
        message = f"The queue is full: allowed: {service.settings.max_queue} waiting pictures"
        raise unavailable("queue_full", message, retry_after=worker.retry_after()) from None
    except QueueClosed:
        raise unavailable("stopping", "The server is stopping.", retry_after=5) from None
    finally:
        abandoned.set()
    assert worker.safe is not None
    pipe = worker.safe.pipe
    scale = plan.settings.guidance_scale
    return await asyncio.to_thread(
        answer, plan, drawn, service.settings,
        guidance_scale=default_guidance(pipe) if scale is None else scale, scheduler=type(pipe.scheduler).__name__,
    )  # fmt: skip


async def while_wanted(work: Coroutine[Any, Any, Result], gone: asyncio.Event, seconds: float) -> Result:
    """Return what `work` returns, unless the client goes or the time is up first; then it is cancelled.

    Raises:
        ClientGone: The client has gone.
        ApiError: The deadline has passed.
    """
    task, leaving = asyncio.create_task(work), asyncio.create_task(gone.wait())
    try:
        done, _ = await asyncio.wait({task, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        if leaving in done:
            raise ClientGone
        message = f"Not done within {seconds:g} seconds; nothing is returned."
        raise ApiError(504, "deadline_exceeded", message, kind="server_error", retry_after=5)
    finally:
        task.cancel()
        leaving.cancel()
