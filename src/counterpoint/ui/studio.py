"""From what was asked to a marked file: the operator's rules, one picture at a time.

What may be asked is what the HTTP server allows (`server.policy`), and files carry the same marks.
"""

from __future__ import annotations

import dataclasses
import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from pydantic import ValidationError

from counterpoint.calls import default_guidance
from counterpoint.detectors.negative_prompt import judge_pairs
from counterpoint.interfaces import InvalidInput, SafetyFailure, SafetyReport
from counterpoint.png import PictureRecord, prompt_sha256
from counterpoint.provenance.marking import Marking
from counterpoint.server.answers import repeatable
from counterpoint.server.config import Settings
from counterpoint.server.drawing import draw
from counterpoint.server.errors import blocked
from counterpoint.server.moderation import nearest_categories
from counterpoint.server.picture_queue import Order
from counterpoint.server.policy import Plan, plan_of
from counterpoint.server.schemas import ImageRequest
from counterpoint.sheet import blur

if TYPE_CHECKING:
    from counterpoint.pipeline import SafePipeline

OnStep = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a visitor asks for; the same wish gives the same picture."""

    prompt: str
    safety: float
    """The dial, 0..1."""
    steps: int
    seed: int
    model: str


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What came of a wish."""

    wish: Wish
    file: bytes | None
    """PNG file with its record and marks; None where the picture was blocked."""
    report: SafetyReport


class Studio:
    """Draws for all visitors, one picture at a time.

    Args:
        settings: The operator's.
        models: Wrapped pipelines by the names in `settings.models`.
        is_research: Whether visitors may see the plain model's picture beside the safe one.
    """

    def __init__(self, settings: Settings, models: Mapping[str, SafePipeline], *, is_research: bool = False) -> None:
        self.settings, self.models, self.is_research = settings, models, is_research
        key = settings.watermark_key.get_secret_value().encode()
        self.marking = Marking(watermark_key=key if settings.watermark else None, credentials=settings.credentials())
        self._one_at_a_time = threading.Lock()

    def draw(self, wish: Wish, on_step: OnStep) -> Shot:
        """Draw one picture.

        Args:
            wish: What was asked.
            on_step: Called after each denoising step.

        Raises:
            InvalidInput: A field lies outside the operator's limits.
            ApiError: The operator has such prompts refused, or does not offer the model.
            Exception: Whatever the safe pipeline raises; there is no picture then.
        """
        return self._draw(wish, plan_of(_request(wish), self.settings), on_step)

    def draw_plain(self, wish: Wish, on_step: OnStep) -> Shot:
        """Draw what the plain model makes of a wish, for comparison.

        Raises:
            InvalidInput: This is not research mode, or see `draw`.
            Exception: See `draw`.
        """
        if not self.is_research:
            raise InvalidInput("research", False, "a page that was started in research mode")
        plan = plan_of(_request(wish), self.settings)  # the wish itself must be allowed
        shown = dataclasses.replace(plan.settings, safety=0.0, on_unsafe="flag")  # hidden, it could not be compared
        unsteered = dataclasses.replace(plan, settings=shown)
        return self._draw(dataclasses.replace(wish, safety=0.0), unsteered, on_step)

    def _draw(self, wish: Wish, plan: Plan, on_step: OnStep) -> Shot:
        safe = self.models[plan.model]
        order = Order(
            prompt=plan.prompt, negative_prompt=None, seed=plan.seed, settings=plan.settings,
            abandoned=threading.Event(),
        )  # fmt: skip
        with self._one_at_a_time:
            if plan.blocks_prompt:
                _refuse_unsafe(safe, plan.prompt)
            ((image, report),) = draw(safe, [order], on_step)
            file = None if report.action == "blocked" else self._file(plan, safe, image, report)
        return Shot(wish=wish, file=file, report=report)

    def _file(self, plan: Plan, safe: SafePipeline, image: Image.Image, report: SafetyReport) -> bytes:
        """Return the PNG file as the server sends it: marked, with its record, without the prompt."""
        record = PictureRecord(
            prompt_sha256=prompt_sha256(plan.prompt),
            seed=plan.seed,
            steps=plan.settings.steps,
            guidance_scale=default_guidance(safe.pipe),
            scheduler=type(safe.pipe.scheduler).__name__,
            model=plan.model,
            report=repeatable(dataclasses.asdict(report)),
        )
        return self.marking.encode(image, record)


def blurred(file: bytes) -> bytes:
    """Return a PNG file in which no shape of the picture can be made out."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(file)) as image:
        blur(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _request(wish: Wish) -> ImageRequest:
    """Return the wish as the server's callers would send it.

    Raises:
        InvalidInput: A field is none that they could send.
    """
    try:
        return ImageRequest.model_validate(
            {
                "prompt": wish.prompt,
                "model": wish.model,
                "seed": wish.seed,
                "num_inference_steps": wish.steps,
                "safety": {"safety": wish.safety},
            }
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidInput(".".join(map(str, first["loc"])), "a wrong value", first["msg"]) from None


def _refuse_unsafe(safe: SafePipeline, prompt: str) -> None:
    """Raise where the gate engages.

    Raises:
        ApiError: It does.
        SafetyFailure: It failed.
    """
    try:
        (detection,) = judge_pairs(safe.detector, [prompt], [None])
    except Exception as error:
        raise SafetyFailure(f"the gate failed ({type(error).__name__}); nothing is drawn") from error
    if detection.is_unsafe:
        raise blocked("input", nearest_categories(detection), "The gate refused the prompt.")
