"""From a plan to the answer's body: reviewed, queued, drawn, marked; whatever ends this, the drawing ends with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from PIL.Image import Resampling

from counterpoint.interfaces import InvalidInput, SafetyReport
from counterpoint.provenance.marking import Marking
from counterpoint.server.answers import answer
from counterpoint.server.config import Settings
from counterpoint.server.editing import require
from counterpoint.server.errors import ApiError, blocked, unavailable
from counterpoint.server.gate_thread import Received
from counterpoint.server.moderation import nearest_categories
from counterpoint.server.picture_queue import Order, QueueClosed, QueueFull
from counterpoint.server.policy import Plan, edit_size
from counterpoint.server.sent_pictures import Upload, read_mask, read_picture
from counterpoint.server.service import Service
from counterpoint.server.worker import Worker

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline

Result = TypeVar("Result")
OnPartial = Callable[[int, "Image"], None]


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def fulfil(service: Service, plan: Plan, on_partial: OnPartial | None = None) -> dict[str, Any]:
    """Return the answer's body.

    Args:
        service: The server.
        plan: What was asked for.
        on_partial: Takes partial pictures, in another thread.

    Raises:
        InvalidInput: A text or a picture is refused, or the model cannot do this.
        ApiError: The prompt, the sent picture or all drawn ones are blocked, or the queue is full.
        Exception: Whatever stopped the drawing.
    """
    worker, gate = service.worker(plan.model), service.gate(plan.model)
    safe = require(worker.guard(plan.settings.task), plan.model)
    if not gate.looks_at_pictures:
        _check_unwatched(plan)
    detection = await gate.review(plan.prompt, plan.negative_prompt, plan.settings.safe_prompt)
    if detection.is_unsafe and plan.blocks_prompt:
        raise blocked("input", nearest_categories(detection), "The gate refused the prompt.")
    received = None
    if (upload := plan.upload) is not None:
        received, verdict = await gate.receive(lambda: receive(upload, plan, service.settings))
        if verdict.is_unsafe:
            raise blocked("input", nearest_categories(verdict), "The picture check refused the picture that was sent.")
    drawn = await _draw(service, worker, _orders(plan, received, on_partial))
    return await asyncio.to_thread(_mark, worker, plan, drawn, service.marking, safe)


def _mark(
    worker: Worker, plan: Plan, drawn: list[tuple[Image, SafetyReport]], marking: Marking, safe: SafePipeline
) -> dict[str, Any]:
    with worker.health.watch("marking"):
        return answer(plan, drawn, marking, safe)


def _check_unwatched(plan: Plan) -> None:
    """Refuse what rests on a picture detector: without one it would be taken and not be done.

    Raises:
        InvalidInput: The caller names what happens to unsafe pictures, or asks for partial ones.
    """
    without = "this server has no picture detector (`picture_detectors`)"
    if plan.asked_on_unsafe is not None:
        raise InvalidInput("safety.on_unsafe", plan.asked_on_unsafe, f"left out: {without} that calls any unsafe")
    if plan.partial_images:
        raise InvalidInput("partial_images", plan.partial_images, f"0: {without} that could look at them")


def receive(upload: Upload, plan: Plan, operator: Settings) -> Received:
    """Decode what is to be edited, at the size to draw.

    Raises:
        InvalidInput: A file is refused.
    """
    picture = read_picture("image", upload.image, max_pixels=operator.max_pixels)
    mask = None
    if upload.mask is not None:
        mask = read_mask(upload.mask, size=picture.size, max_pixels=operator.max_pixels)
    size = edit_size(plan.settings.size, picture.size, operator)
    return Received(
        picture=picture,
        image=picture.resize(size, Resampling.LANCZOS),
        mask=None if mask is None else mask.resize(size, Resampling.NEAREST),
    )


def _orders(plan: Plan, received: Received | None, on_partial: OnPartial | None) -> list[Order]:
    abandoned = threading.Event()
    settings = plan.settings if received is None else replace(plan.settings, size=received.image.size)
    return [
        Order(
            prompt=plan.prompt, negative_prompt=plan.negative_prompt, seed=plan.seed + index, settings=settings,
            abandoned=abandoned, image=None if received is None else received.image,
            mask=None if received is None else received.mask, partial_images=plan.partial_images or 0,
            on_partial=on_partial,
        )
        for index in range(plan.n)
    ]  # fmt: skip


async def _draw(service: Service, worker: Worker, orders: list[Order]) -> list[tuple[Image, SafetyReport]]:
    try:
        worker.queue.put(orders)
        return await asyncio.gather(*(asyncio.wrap_future(order.result) for order in orders))
    except QueueFull:
        message = f"The queue is full: allowed: {service.settings.max_queue} waiting pictures"
        raise unavailable("queue_full", message, retry_after=worker.retry_after()) from None
    except QueueClosed:
        raise unavailable("stopping", "The server is stopping.", retry_after=5) from None
    finally:
        orders[0].abandoned.set()


async def while_wanted(work: Coroutine[Any, Any, Result], gone: asyncio.Event, seconds: float) -> Result:
    """Return what `work` returns, unless the client goes or the time is up first; then it is cancelled.

    Raises:
        ClientGone: The client has gone.
        ApiError: The deadline has passed.
    """
    task, leaving = asyncio.create_task(work), asyncio.create_task(gone.wait())
    try:
        done, _ = await asyncio.wait({task, leaving}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        if leaving in done:
            raise ClientGone
        message = "Not done before the deadline; nothing is returned."
        raise ApiError(504, "deadline_exceeded", message, kind="server_error", retry_after=5)
    finally:
        task.cancel()
        leaving.cancel()
