"""What a request may ask for: the operator's limits, and a dial that callers can only tighten."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, replace

from counterpoint.interfaces import InvalidInput, OnUnsafe
from counterpoint.levels import resolve_safety
from counterpoint.provenance.files import FileFormat
from counterpoint.provenance.marking import LEAST_QUALITY
from counterpoint.provenance.watermark import SMALLEST_SIDE
from counterpoint.server import picture_queue
from counterpoint.server.config import Settings
from counterpoint.server.errors import ApiError
from counterpoint.server.schemas import LARGEST_SEED, EditRequest, ImageRequest, SafetyOptions
from counterpoint.server.sent_pictures import Upload

MILDEST_FIRST: tuple[OnUnsafe, ...] = ("flag", "blur", "steer", "block")
SIDE_STEP = 16
"""Sides are multiples of this many pixels, as in OpenAI's interface; all supported models draw them."""

DEFAULT_STRENGTH = 0.8
DEFAULT_QUALITY = 90
"""Of jpeg and webp."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request within the operator's limits; nothing in it is left open."""

    model: str
    prompt: str
    negative_prompt: str | None
    n: int
    seed: int
    """Of the first picture; picture k has seed + k."""
    settings: picture_queue.Settings
    asked_on_unsafe: OnUnsafe | None = None
    """What the caller named; None = nothing, the operator's choice holds."""
    blocks_prompt: bool
    """Whether the request is refused where the gate engages."""
    file_format: FileFormat
    quality: int
    partial_images: int | None = None
    """Most pictures of the drawing under way, 0..3; None = the answer is not streamed."""
    upload: Upload | None = None
    """What is edited; None = nothing, the picture is drawn from the text alone."""

    @property
    def is_edit(self) -> bool:
        """Whether the picture begins as somebody's."""
        return self.upload is not None


def plan_of(request: ImageRequest, operator: Settings) -> Plan:
    """Resolve a request.

    Raises:
        InvalidInput: A field lies outside the operator's limits.
        ApiError: The model is not on the operator's list.
    """
    safety = request.safety or SafetyOptions()
    n = _at_most("n", 1 if request.n is None else request.n, operator.max_n)
    steps = operator.steps if request.num_inference_steps is None else request.num_inference_steps
    if request.guidance_scale is not None and request.guidance_scale > operator.max_guidance_scale:
        raise InvalidInput("guidance_scale", request.guidance_scale, f"0..{operator.max_guidance_scale:g}")
    if request.seed is not None and request.seed > LARGEST_SEED - n + 1:
        raise InvalidInput("seed", request.seed, f"0..{LARGEST_SEED - n + 1}, as picture k has seed + k")
    partial_images = _partials(request, n)
    safe_prompt = _text("safety.safe_prompt", safety.safe_prompt, operator)
    return Plan(
        model=_model(request.model, operator),
        prompt=_text("prompt", request.prompt, operator) or "",
        negative_prompt=_text("negative_prompt", request.negative_prompt, operator, may_be_empty=True),
        n=n,
        seed=secrets.randbelow(LARGEST_SEED - n + 2) if request.seed is None else request.seed,
        settings=picture_queue.Settings(
            steps=_at_most("num_inference_steps", steps, operator.max_steps),
            guidance_scale=request.guidance_scale,
            size=_size(request.size, operator),
            safety=_dial(safety.safety, operator),
            safe_prompt=safe_prompt,
            on_unsafe=_stricter(safety.on_unsafe, operator),
            has_negative_prompt=bool(request.negative_prompt),
            alone=(operator.exact_seeds and request.seed is not None) or bool(partial_images),
        ),
        asked_on_unsafe=safety.on_unsafe,
        blocks_prompt=_blocks(safety.on_unsafe_prompt, operator),
        file_format=request.output_format or "png",
        quality=_quality(request, operator),
        partial_images=partial_images,
    )


def edit_plan_of(request: EditRequest, upload: Upload, operator: Settings) -> Plan:
    """Resolve a request to edit; the size is left to `edit_size`, as it follows the picture.

    Raises:
        InvalidInput: A field lies outside the operator's limits.
        ApiError: The model is not on the operator's list.
    """
    plan = plan_of(request, operator)
    strength, steps = DEFAULT_STRENGTH if request.strength is None else request.strength, plan.settings.steps
    if int(steps * strength) < 1:
        least = math.ceil(1000 / steps) / 1000
        raise InvalidInput("strength", strength, f"from {least:g} with {steps} steps, so that one is taken")
    task: picture_queue.Task = "edit" if upload.mask is None else "inpaint"
    return replace(plan, upload=upload, settings=replace(plan.settings, task=task, strength=strength, alone=True))


def edit_size(asked: tuple[int, int] | None, picture: tuple[int, int], operator: Settings) -> tuple[int, int]:
    """Return the width and height of an edit: those asked for, or the picture's, cut down to whole steps.

    Raises:
        InvalidInput: The picture is too small.
    """
    if asked is not None:
        return asked
    width, height = (side // SIDE_STEP * SIDE_STEP for side in picture)
    smallest = _smallest_side(operator)
    if min(width, height) < smallest:
        raise InvalidInput("image", f"{picture[0]}x{picture[1]} pixels", f"sides of at least {smallest} pixels")
    return width, height


def _partials(request: ImageRequest, n: int) -> int | None:
    if not request.stream:
        if request.partial_images:
            raise InvalidInput("partial_images", request.partial_images, "0, or stream: true")
        return None
    if n != 1:
        raise InvalidInput("n", n, "1 with stream: true")
    return request.partial_images or 0


def _quality(request: ImageRequest, operator: Settings) -> int:
    quality, file_format = request.output_compression, request.output_format or "png"
    if quality is None:
        return DEFAULT_QUALITY
    if file_format == "png":
        raise InvalidInput("output_compression", quality, "left out, as png is lossless")
    if operator.watermark and quality < LEAST_QUALITY[file_format]:
        allowed = f"{LEAST_QUALITY[file_format]}..100 for {file_format}, so that the invisible mark is found"
        raise InvalidInput("output_compression", quality, allowed)
    return quality


def _model(name: str | None, operator: Settings) -> str:
    if name is None:
        return next(iter(operator.models))
    if name not in operator.models:
        raise ApiError(404, "model_not_found", f"model: allowed: {', '.join(operator.models)}", param="model")
    return name


def _at_most(field: str, value: int, most: int) -> int:
    if value > most:
        raise InvalidInput(field, value, f"1..{most}")
    return value


def _text(field: str, text: str | None, operator: Settings, *, may_be_empty: bool = False) -> str | None:
    if text is None:
        return None
    if len(text) > operator.max_prompt_chars:
        raise InvalidInput(field, f"{len(text)} characters", f"at most {operator.max_prompt_chars} characters")
    if not (text.strip() or may_be_empty):
        raise InvalidInput(field, "nothing", "a text that is not empty")
    return text


def _size(size: str | None, operator: Settings) -> tuple[int, int] | None:
    if size is None or size == "auto":
        return None
    width, height = map(int, size.split("x"))
    smallest = _smallest_side(operator)
    fits = width % SIDE_STEP == height % SIDE_STEP == 0 and min(width, height) >= smallest
    if not fits or width * height > operator.max_pixels:
        allowed = (
            f"auto, or WIDTHxHEIGHT in multiples of {SIDE_STEP} from {smallest}, "
            f"at most {operator.max_pixels} pixels in all"
        )
        raise InvalidInput("size", size, allowed)
    return width, height


def _smallest_side(operator: Settings) -> int:
    return SMALLEST_SIDE if operator.watermark else SIDE_STEP


def _dial(given: float | str | None, operator: Settings) -> float:
    if given is None:
        return operator.safety
    try:
        dial = resolve_safety(given)
    except InvalidInput as error:
        raise InvalidInput("safety.safety", given, error.allowed) from None
    if dial < operator.min_safety:
        raise InvalidInput("safety.safety", given, f"{operator.min_safety:g}..1, the operator's floor")
    return dial


def _stricter(given: OnUnsafe | None, operator: Settings) -> OnUnsafe:
    if given is None:
        return operator.on_unsafe
    allowed = MILDEST_FIRST[MILDEST_FIRST.index(operator.on_unsafe) :]
    if given not in allowed:
        raise InvalidInput("safety.on_unsafe", given, f"{', '.join(allowed)}, from the operator's on")
    return given


def _blocks(given: str | None, operator: Settings) -> bool:
    if operator.on_unsafe_prompt == "block" and given == "steer":
        raise InvalidInput("safety.on_unsafe_prompt", given, "block, the operator's choice")
    return "block" in (given, operator.on_unsafe_prompt)
