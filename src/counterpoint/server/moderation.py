"""Verdicts in the shape of OpenAI's moderations.

A detection has one score per category in the detectors' own unit and one decision for all of them.
So, of a flagged input, the category (or categories) with the largest score are marked; scores are cut
to 0..1 and are no probabilities. A finding in a category without a counterpart is flagged all the
same, and named in `detection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from counterpoint.interfaces import Detection

OPENAI_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
COUNTERPARTS = {
    "harassment": "harassment",
    "hate": "hate",
    "illegal activity": "illicit",
    "substances": "illicit",
    "self-harm": "self-harm",
    "sexual": "sexual",
    "minors": "sexual/minors",
    "violence": "violence",
    "shocking": "violence/graphic",
}
"""Our categories and OpenAI's."""
InputType = Literal["text", "image"]


def moderation_result(detections: Sequence[tuple[InputType, Detection]]) -> dict[str, Any]:
    """Return one result for the parts of one input."""
    categories = dict.fromkeys(OPENAI_CATEGORIES, False)
    scores = dict.fromkeys(OPENAI_CATEGORIES, 0.0)
    applied: dict[str, list[InputType]] = {name: [] for name in OPENAI_CATEGORIES}
    for kind, detection in detections:
        for name, score in detection.categories.items():
            if (theirs := COUNTERPARTS.get(name)) is None:
                continue
            scores[theirs] = max(scores[theirs], min(1.0, max(0.0, score)))
            if kind not in applied[theirs]:
                applied[theirs].append(kind)
            categories[theirs] |= detection.is_unsafe and score == max(detection.categories.values())
    return {
        "flagged": any(detection.is_unsafe for _, detection in detections),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": applied,
        "detection": [
            {"input_type": kind, "unsafe": detection.is_unsafe, "score": detection.score,
             "categories": detection.categories}
            for kind, detection in detections
        ],
    }  # fmt: skip


def nearest_categories(detection: Detection) -> list[str]:
    """Return the category that a verdict rests on most, in OpenAI's words where there is one."""
    if not detection.categories:
        return []
    name = max(detection.categories, key=lambda category: detection.categories[category])
    return [COUNTERPARTS.get(name, name)]
