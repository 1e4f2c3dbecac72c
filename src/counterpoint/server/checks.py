"""`POST /v1/moderations`, and LiteLLM's generic guardrail: the gate for others' models."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from PIL.Image import Image

from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.server.gate_thread import GateThread
from counterpoint.server.moderation import InputType, moderation_result, nearest_categories
from counterpoint.server.schemas import GuardrailRequest, ImagePart, ModerationRequest, TextPart
from counterpoint.server.sent_pictures import decode_picture
from counterpoint.server.service import Service

OPENAI_NAMES = ("omni-moderation-latest", "text-moderation-latest")
"""What OpenAI's clients name as the model unless told otherwise: the first model's gate answers."""
MOST_INPUTS = 32


def checks_router(service: Service) -> APIRouter:
    """Return the two routes."""
    router = APIRouter()

    @router.post("/v1/moderations")
    async def moderate(request: Request, body: ModerationRequest) -> dict[str, Any]:
        gate = service.gate(None if body.model in OPENAI_NAMES else body.model)
        results = [moderation_result(parts) for parts in await _judge_inputs(service, gate, body)]
        request.state.log = {"n": len(results)}
        return {
            "id": f"modr-{secrets.token_hex(12)}",
            "model": body.model or next(iter(service.workers)),
            "results": results,
        }

    @router.post("/beta/litellm_basic_guardrail_api")
    async def guardrail(request: Request, body: GuardrailRequest) -> dict[str, Any]:
        texts, images = [text for text in body.texts or [] if text.strip()], body.images or []
        request.state.log = {"n": len(texts) + len(images)}
        gate = service.gate()
        if images and not gate.looks_at_pictures:
            return _refusal("pictures cannot be checked: no picture detector is configured")
        try:
            _check_count("texts", texts)
            _check_count("images", images)
            detections = await gate.read(texts, "texts") if texts else []
            load = [_picture("images", image, service, bare=True) for image in images]
            detections += await gate.look(load) if load else []
        except InvalidInput as error:  # what cannot be read is not let through
            return _refusal(f"{error.field} cannot be checked: allowed: {error.allowed}")
        found = sorted({name for one in detections if one.is_unsafe for name in nearest_categories(one)})
        if any(one.is_unsafe for one in detections):
            return _refusal(f"unsafe: {', '.join(found) or 'no category'}")
        return {"action": "NONE"}

    return router


async def _judge_inputs(
    service: Service, gate: GateThread, body: ModerationRequest
) -> list[list[tuple[InputType, Detection]]]:
    """Return the verdicts on each input; a list of parts is one input, a list of texts as many as it has."""
    given = [body.input] if isinstance(body.input, str) else body.input
    _check_count("input", given)
    texts = [part if isinstance(part, str) else part.text for part in given if isinstance(part, (str, TextPart))]
    for text in texts:
        if len(text) > service.settings.max_prompt_chars:
            most = service.settings.max_prompt_chars
            raise InvalidInput("input", f"{len(text)} characters", f"texts of at most {most} characters")
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
    if not (field != "input" or given) or len(given) > MOST_INPUTS:
        raise InvalidInput(field, f"{len(given)} parts", f"1..{MOST_INPUTS} parts")


def _picture(field: str, text: str, service: Service, *, bare: bool = False) -> partial[Image]:
    return partial(decode_picture, field, text, max_pixels=service.settings.max_pixels, bare=bare)


def _refusal(reason: str) -> dict[str, Any]:
    return {"action": "BLOCKED", "blocked_reason": reason}
