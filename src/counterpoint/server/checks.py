"""`POST /v1/moderations`, and LiteLLM's generic guardrail: the gate for others' models."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from PIL.Image import Image

from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.server.fulfil import ClientGone, while_wanted
from counterpoint.server.gate_thread import GateThread
from counterpoint.server.moderation import InputType, moderation_result, nearest_categories
from counterpoint.server.schemas import (
    MOST_INPUTS,
    GuardrailRequest,
    ImagePart,
    ModerationRequest,
    TextPart,
    is_readable,
)
from counterpoint.server.sent_pictures import decode_picture
from counterpoint.server.service import Service

OPENAI_NAMES = (
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
)
"""What OpenAI's clients name as the model unless told otherwise: the first model's gate answers."""


def checks_router(service: Service) -> APIRouter:
    """Return the two routes."""
    router = APIRouter()

    @router.post("/v1/moderations")
    async def moderate(request: Request, body: ModerationRequest) -> Response:
        count = 1 if isinstance(body.input, str) else len(body.input)
        return await _answer(service, request, count, lambda: _moderate(service, request, body))

    @router.post("/beta/litellm_basic_guardrail_api")
    async def guardrail(request: Request, body: GuardrailRequest) -> Response:
        count = sum(len(given or []) for given in (body.texts, body.tool_calls, body.images))
        return await _answer(service, request, count, lambda: _guard(service, request, body))

    return router


async def _answer(
    service: Service, request: Request, count: int, work: Callable[[], Coroutine[Any, Any, dict[str, Any]]]
) -> Response:
    """Answer `count` checks: so many for each key, within the deadline, and only while somebody waits.

    A request of more than one key may have at all takes all of its places: it is answered when the others are.
    """
    try:
        with service.checks.hold(getattr(request.state, "caller", ""), min(max(1, count), service.checks.most)):
            body = await while_wanted(work(), request.state.gone, service.settings.deadline_seconds)
    except ClientGone:
        request.state.abandoned = True
        return Response(status_code=499)
    return JSONResponse(body)


async def _moderate(service: Service, request: Request, body: ModerationRequest) -> dict[str, Any]:
    gate = service.gate(None if body.model in OPENAI_NAMES else body.model)
    results = [moderation_result(parts) for parts in await _judge_inputs(service, gate, body)]
    request.state.log = {"n": len(results)}
    return {
        "id": f"modr-{secrets.token_hex(12)}",
        "model": body.model or next(iter(service.workers)),
        "results": results,
    }


async def _guard(service: Service, request: Request, body: GuardrailRequest) -> dict[str, Any]:
    given, calls, images = body.texts or [], body.tool_calls or [], body.images or []
    request.state.log = {"n": len(given) + len(calls) + len(images)}
    gate = service.gate()
    if images and not gate.looks_at_pictures:
        return _refusal("pictures cannot be checked: no picture detector is configured")
    try:
        _check_count("texts", given)
        _check_count("images", images)
        _check_count("tool_calls", calls)
        texts = [text for text in (*given, *map(_arguments, calls)) if text.strip()]
        _check_lengths("texts", texts, service)
        if not all(map(is_readable, texts)):
            raise InvalidInput("texts", "a text", "text in Unicode, without NUL")
        detections = await gate.read(texts, "texts") if texts else []
        load = [_picture("images", image, service, bare=True) for image in images]
        detections += await gate.look(load) if load else []
    except InvalidInput as error:  # what cannot be read is not let through
        return _refusal(f"{error.field} cannot be checked: allowed: {error.allowed}")
    found = sorted({name for one in detections if one.is_unsafe for name in nearest_categories(one)})
    if any(one.is_unsafe for one in detections):
        return _refusal(f"unsafe: {', '.join(found) or 'no category'}")
    return {"action": "NONE"}


async def _judge_inputs(
    service: Service, gate: GateThread, body: ModerationRequest
) -> list[list[tuple[InputType, Detection]]]:
    """Return the verdicts on each input; a list of parts is one input, a list of texts as many as it has."""
    given = [body.input] if isinstance(body.input, str) else body.input
    texts = [part if isinstance(part, str) else part.text for part in given if isinstance(part, (str, TextPart))]
    _check_lengths("input", texts, service)
    pictures = [part.image_url.url for part in given if isinstance(part, ImagePart)]
    if pictures and not gate.looks_at_pictures:
        raise InvalidInput("input", "image_url", "texts; this server has no picture detector")
    read = [("text", verdict) for verdict in (await gate.read(texts, "input") if texts else [])]
    load = [_picture("input", url, service) for url in pictures]
    looked = [("image", verdict) for verdict in (await gate.look(load) if load else [])]
    if all(isinstance(part, str) for part in given):
        return [[verdict] for verdict in read]  # type: ignore[list-item]
    return [[*read, *looked]]  # type: ignore[list-item]


def _check_count(field: str, given: Sequence[object]) -> None:
    if len(given) > MOST_INPUTS:
        raise InvalidInput(field, f"{len(given)} parts", f"at most {MOST_INPUTS} parts")


def _arguments(call: object) -> str:
    """Return what a tool is told, such as one that draws."""
    match call:
        case {"function": {"arguments": str(told)}}:
            return told
        case {"function": {"name": str(), **rest}} if "arguments" not in rest:
            return ""
    raise InvalidInput("tool_calls", "a call", "calls of functions, with arguments as a text")


def _check_lengths(field: str, texts: Sequence[str], service: Service) -> None:
    most = service.settings.max_prompt_chars
    for text in texts:
        if len(text) > most:
            raise InvalidInput(field, f"{len(text)} characters", f"texts of at most {most} characters")


def _picture(field: str, text: str, service: Service, *, bare: bool = False) -> partial[list[Image]]:
    return partial(decode_picture, field, text, max_pixels=service.settings.max_pixels, bare=bare)


def _refusal(reason: str) -> dict[str, Any]:
    return {"action": "BLOCKED", "blocked_reason": reason}
