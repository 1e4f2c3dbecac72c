"""From drawn pictures to the answer: marked, encoded, with what was done to each."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from counterpoint.calls import default_guidance
from counterpoint.interfaces import SafetyReport
from counterpoint.png import PictureRecord, prompt_sha256
from counterpoint.provenance.marking import Marking
from counterpoint.server.errors import blocked
from counterpoint.server.policy import Plan

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline

SCORE_DIGITS = 2
"""Digits of scores in files."""


def answer(
    plan: Plan, drawn: Sequence[tuple[Image, SafetyReport]], marking: Marking, safe: SafePipeline
) -> dict[str, Any]:
    """Return the answer's body; a blocked picture's place holds no picture, and its reason.

    Args:
        plan: What was asked for.
        drawn: Pictures and reports, in the order of their seeds.
        marking: How pictures are marked.
        safe: The pipeline that drew them.

    Raises:
        ApiError: All pictures were blocked.
        InvalidInput: The model's own size is too small for the watermark.
        SafetyFailure: A picture could not be marked.
    """
    reports = [report for _, report in drawn]
    if all(report.action == "blocked" for report in reports):
        raise blocked("output", _categories(reports), "The picture check refused what was drawn.")
    width, height = drawn[0][0].size
    settings, pipe = plan.settings, safe.pipe
    return {
        "created": int(time.time()),
        "data": [
            _entry(plan, image, report, plan.seed + index, marking, pipe)
            for index, (image, report) in enumerate(drawn)
        ],
        "background": "opaque",
        "output_format": plan.file_format,
        "quality": "auto",
        "size": f"{width}x{height}",
        "model": plan.model,
        "settings": {
            "seed": plan.seed, "num_inference_steps": settings.steps, "guidance_scale": _guidance(plan, pipe),
            "safety": settings.safety, "on_unsafe": settings.on_unsafe if safe.picture_detectors else None,
            "on_unsafe_prompt": "block" if plan.blocks_prompt else "steer",
            **({"strength": settings.strength} if plan.is_edit else {}),
        },
    }  # fmt: skip


def picture_file(
    plan: Plan, image: Image, *, seed: int, report: dict[str, Any] | None, marking: Marking, pipe: Any
) -> bytes:
    """Return the marked file of one picture.

    Args:
        plan: What was asked for.
        image: The picture.
        seed: Its own.
        report: What was done to it; None for one that is not finished.
        marking: How it is marked.
        pipe: The pipeline that drew it.

    Raises:
        InvalidInput: The model's own size is too small for the watermark.
        SafetyFailure: It could not be marked.
    """
    safe_prompt = plan.settings.safe_prompt
    record = PictureRecord(
        prompt_sha256=prompt_sha256(plan.prompt), seed=seed, steps=plan.settings.steps,
        guidance_scale=_guidance(plan, pipe), scheduler=type(pipe.scheduler).__name__, model=plan.model, report=report,
        safe_prompt_sha256=None if safe_prompt is None else prompt_sha256(safe_prompt),
    )  # fmt: skip
    return marking.encode(image, record, plan.file_format, quality=plan.quality, is_edit=plan.is_edit)


def _entry(plan: Plan, image: Image, report: SafetyReport, seed: int, marking: Marking, pipe: Any) -> dict[str, Any]:
    told = dataclasses.asdict(report)
    if report.action == "blocked":
        return {"b64_json": None, "seed": seed, "sha256": None, "safety": told}
    content = picture_file(plan, image, seed=seed, report=repeatable(told), marking=marking, pipe=pipe)
    return {
        "b64_json": base64.b64encode(content).decode(),
        "seed": seed,
        "sha256": hashlib.sha256(content).hexdigest(),
        "safety": told,
    }


def repeatable(told: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what differs from call to call: the same request is to give the same bytes.

    These are the seconds, and the last digits of scores, which depend on what the gate has read before.
    """
    scores = {name: _rounded(told[name]) for name in ("categories", "picture_categories")}
    cost = {name: value for name, value in told["cost"].items() if name != "seconds"}
    return {**told, **scores, "score": round(told["score"], SCORE_DIGITS), "cost": cost}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, SCORE_DIGITS) for name, score in scores.items()}


def _guidance(plan: Plan, pipe: Any) -> float:
    """Return the scale in effect; 1 = off."""
    scale = plan.settings.guidance_scale
    return default_guidance(pipe) if scale is None else scale


def _categories(reports: Sequence[SafetyReport]) -> list[str]:
    """Return the nearest category of each picture, the output check's where it looked."""
    nearest = []
    for report in reports:
        scores = report.picture_categories or report.categories
        nearest += [max(scores, key=lambda name: scores[name])] if scores else []
    return sorted(set(nearest))
