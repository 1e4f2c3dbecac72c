"""From drawn pictures to the answer: marked, encoded, with what was done to each."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from counterpoint.interfaces import SafetyReport
from counterpoint.png import PictureRecord, prompt_sha256
from counterpoint.provenance import watermark
from counterpoint.provenance.files import encode_picture
from counterpoint.server.config import Settings
from counterpoint.server.errors import blocked
from counterpoint.server.policy import Plan

if TYPE_CHECKING:
    from PIL.Image import Image


def answer(
    plan: Plan,
    drawn: Sequence[tuple[Image, SafetyReport]],
    operator: Settings,
    *,
    guidance_scale: float,
    scheduler: str,
) -> dict[str, Any]:
    """Return the answer's body; a blocked picture's place holds no picture, and its reason.

    Args:
        plan: What was asked for.
        drawn: Pictures and reports, in the order of their seeds.
        operator: Whether and how pictures are marked.
        guidance_scale: The scale in effect; 1 = off.
        scheduler: Class of the scheduler.

    Raises:
        ApiError: All pictures were blocked.
        SafetyFailure: A picture could not be marked.
    """
    reports = [report for _, report in drawn]
    if all(report.action == "blocked" for report in reports):
        raise blocked("output", _categories(reports), "The picture check refused what was drawn.")
    width, height = drawn[0][0].size
    settings = plan.settings
    return {
        "created": int(time.time()),
        "data": [
            _entry(plan, image, report, plan.seed + index, operator, guidance_scale, scheduler)
            for index, (image, report) in enumerate(drawn)
        ],
        "background": "opaque",
        "output_format": plan.file_format,
        "quality": "auto",
        "size": f"{width}x{height}",
        "model": plan.model,
        "settings": {
            "seed": plan.seed, "num_inference_steps": settings.steps, "guidance_scale": guidance_scale,
            "safety": settings.safety, "on_unsafe": settings.on_unsafe,
            "on_unsafe_prompt": "block" if plan.blocks_prompt else "steer",
        },
    }  # fmt: skip


def _entry(
    plan: Plan, image: Image, report: SafetyReport, seed: int, operator: Settings, guidance_scale: float, scheduler: str
) -> dict[str, Any]:
    told = dataclasses.asdict(report)
    if report.action == "blocked":
        return {"b64_json": None, "seed": seed, "sha256": None, "safety": told}
    # Seconds differ from call to call: the same request is to give the same bytes.
    kept = told | {"cost": {name: value for name, value in told["cost"].items() if name != "seconds"}}
    record = PictureRecord(
        prompt_sha256=prompt_sha256(plan.prompt), seed=seed, steps=plan.settings.steps, guidance_scale=guidance_scale,
        scheduler=scheduler, model=plan.model, report=kept,
        safe_prompt_sha256=None if plan.settings.safe_prompt is None else prompt_sha256(plan.settings.safe_prompt),
    )  # fmt: skip
    if operator.watermark:
        image = watermark.embed(image, key=operator.watermark_key.get_secret_value().encode())
    content = encode_picture(image, record, plan.file_format, quality=plan.quality)
    return {
        "b64_json": base64.b64encode(content).decode(),
        "seed": seed,
        "sha256": hashlib.sha256(content).hexdigest(),
        "safety": told,
    }


def _categories(reports: Sequence[SafetyReport]) -> list[str]:
    """Return the nearest category of each picture, the output check's where it looked."""
    nearest = []
    for report in reports:
        scores = report.picture_categories or report.categories
        nearest += [max(scores, key=lambda name: scores[name])] if scores else []
    return sorted(set(nearest))
