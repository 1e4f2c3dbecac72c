"""An answer in parts: server-sent events in OpenAI's shape.

    image_generation.partial_image      a picture of the drawing under way, see partials.py
    image_generation.completed          the picture, with the report and the settings of an answer in one piece
    error                               nothing more will come, and no picture

(`image_edit.*` for edits). The response begins with its first event: what fails before that has a status of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from PIL.Image import Image

from counterpoint.server.answers import picture_file
from counterpoint.server.editing import require
from counterpoint.server.errors import ApiError, from_exception
from counterpoint.server.fulfil import ClientGone, fulfil, while_wanted
from counterpoint.server.logs import log_failure
from counterpoint.server.policy import Plan
from counterpoint.server.service import Service


async def stream(service: Service, plan: Plan, request: Request) -> Response:
    """Return the response, its first event at hand.

    Raises:
        ClientGone: The client has gone.
        Exception: Whatever came before the first event.
    """
    events = _events(service, plan, request)
    first = await anext(events)
    return StreamingResponse(_rest(first, events, request, service), media_type="text/event-stream")


async def _rest(
    first: bytes, events: AsyncGenerator[bytes], request: Request, service: Service
) -> AsyncIterator[bytes]:
    """Yield all events; a failure becomes the last one."""
    yield first
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except ClientGone:
        request.state.abandoned = True
    except (asyncio.CancelledError, GeneratorExit):  # the client has gone, and the framework saw it first
        request.state.abandoned = True
        raise
    except Exception as error:
        told = from_exception(error)
        if told.status >= 500 and not isinstance(error, ApiError):
            log_failure("request_failed", error, request_id=request.state.request_id, code=told.code)
        service.note_error(told, request.state.log)
        request.state.log["outcome"] = "error"  # the status was sent with the first event: 200
        service.metrics.stream_errors.labels(code=told.code).inc()
        yield _event("error", {"type": "error", **told.body()})


async def _events(service: Service, plan: Plan, request: Request) -> AsyncGenerator[bytes]:
    arrived: asyncio.Queue[tuple[int, Image] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    until = loop.time() + service.settings.deadline_seconds
    kind = "image_edit" if plan.is_edit else "image_generation"
    with service.quota.hold(getattr(request.state, "caller", ""), plan.n):
        work = asyncio.create_task(
            fulfil(service, plan, lambda *partial: loop.call_soon_threadsafe(arrived.put_nowait, partial))  # type: ignore[arg-type]
        )
        work.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (partial := await while_wanted(arrived.get(), request.state.gone, until - loop.time())) is not None:
                told = await asyncio.to_thread(_partial, service, plan, *partial)
                yield _event(f"{kind}.partial_image", told)
            body = work.result()
        finally:
            work.cancel()
    request.state.log["actions"] = [entry["safety"]["action"] for entry in body["data"]]
    yield _event(f"{kind}.completed", _completed(body))


def _partial(service: Service, plan: Plan, index: int, image: Image) -> dict[str, Any]:
    worker = service.worker(plan.model)
    safe = require(worker.guard(plan.settings.task), plan.model)
    with worker.health.watch("marking"):
        content = picture_file(plan, image, seed=plan.seed, report=None, marking=service.marking, pipe=safe.pipe)
    return {
        "b64_json": base64.b64encode(content).decode(),
        "partial_image_index": index,
        "created_at": int(time.time()),
        "background": "opaque",
        "output_format": plan.file_format,
        "quality": "auto",
        "size": f"{image.width}x{image.height}",
    }


def _completed(body: dict[str, Any]) -> dict[str, Any]:
    (entry,) = body["data"]
    told = {name: body[name] for name in ("background", "output_format", "quality", "size", "model", "settings")}
    return {**entry, "created_at": body["created"], **told, "usage": None}


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
