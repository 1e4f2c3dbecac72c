"""Sentences: what was done to a picture and why, and what is said where there is none.

Nothing here repeats a prompt, and no failed part's own words are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from counterpoint.interfaces import Action, SafetyReport
from counterpoint.server.errors import ApiError, from_exception

LABELS: dict[Action, str] = {
    "passed": "Nothing changed",
    "steered": "Steered",
    "blurred": "Blurred",
    "blocked": "Not shown",
}
FIELDS = {
    "prompt": "prompt",
    "model": "model",
    "seed": "seed",
    "num_inference_steps": "number of steps",
    "safety.safety": "dial",
}
"""Fields of a request by the page's own names."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What stands in a picture's place."""

    title: str
    text: str


def nearest(categories: Mapping[str, float]) -> str:
    """Return the category with the largest score, or a word for none."""
    return max(categories, key=lambda name: categories[name]) if categories else "something unsafe"


def what_was_done(report: SafetyReport) -> str:
    """Return what happened to a picture and why, as one sentence; two where the operator has unsafe ones shown."""
    seen = nearest(report.picture_categories)
    match report.action:
        case "blocked" if report.picture_unsafe:
            return f"The picture check saw {seen} in what was drawn, so nothing is shown."
        case "blocked":
            return "The model's own picture check refused what was drawn, so nothing is shown."
        case "blurred":
            return f"The picture check saw {seen} in what was drawn, so it is shown blurred."
        case "steered":
            done = _steered(report)
        case "passed" if report.safety == 0.0:
            done = "The dial is off, so this is the plain model's own picture."
        case "passed":
            done = "The gate found nothing to soften, so this is the plain model's own picture."
    if report.picture_unsafe:
        return f"{done} The picture check still sees {seen} in it; the operator has such pictures shown."
    return done


def _steered(report: SafetyReport) -> str:
    if report.redraws:
        times = "once" if report.redraws == 1 else f"{report.redraws} times"
        reason = f"The picture check was not content with a first picture, so it was drawn again {times}:"
    else:
        reason = f"The gate read {nearest(report.categories)} in the prompt, so"
    share = "every step" if report.weight >= 1.0 else f"{report.weight:.0%} of every step"
    if report.tau <= 0.0:
        return f"{reason} {share} came from the safe stream, from the first one on."
    return f"{reason} {share} came from the safe stream, once the first {report.tau:.0%} had set the scene."


def notice_for(error: Exception) -> Notice:
    """Return what a visitor is told of an error: what happened, and what to do."""
    told = from_exception(error)
    if told.details is not None:
        return _refusal(told)
    if told.param is not None:
        name = FIELDS.get(told.param, told.param)
        return Notice(title=f"Please change the {name}.", text=_limit(told.message))
    match told.code:
        case "degenerate_picture":
            text = "The model drew an empty picture. Another seed may help."
        case "out_of_memory":
            text = "The machine ran out of memory. Fewer steps or a smaller model may help."
        case "safety_failure":
            text = "A safety step failed, so nothing is shown. The operator's log says where."
        case _:
            text = "Drawing failed, so nothing is shown. The operator's log says where."
    return Notice(title="There is no picture.", text=text)


def _refusal(told: ApiError) -> Notice:
    details = told.details or {}
    categories = " and ".join(details["categories"]) or "something unsafe"
    if details["categories"] == ["sexual/minors"]:
        return Notice(title="This is not drawn.", text="The prompt asks for what is drawn at no setting.")
    text = f"The gate read {categories} in the prompt, and the operator has such prompts refused. Please rephrase it."
    return Notice(title="This prompt was refused.", text=text)


def _limit(message: str) -> str:
    """Return what is allowed, without the field's technical name and without what was given."""
    allowed = message.partition("allowed: ")[2] or message.partition(": ")[2] or message
    return f"Allowed: {allowed.removeprefix('Input should be ')}."
