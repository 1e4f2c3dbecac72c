"""Several detectors as one: a prompt is safe only where every one of them says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from counterpoint.interfaces import Detection, Detector, InvalidInput, SafetyFailure


class Ensemble:
    """Gate that engages where any of its detectors engages.

    All detectors read all prompts. One that raises, or whose answer is no verdict, fails the call:
    a missing opinion is never "safe".

    Args:
        detectors: The detectors; evidence and remarks are named in this order.

    Raises:
        InvalidInput: There is no detector.
    """

    def __init__(self, *detectors: Detector) -> None:
        if not detectors:
            raise InvalidInput("detectors", detectors, "at least one detector")
        self.detectors = detectors

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one merged verdict a prompt; see `merge`.

        Raises:
            SafetyFailure: A detector failed.
        """
        opinions = [_ask(detector, prompts) for detector in self.detectors]
        return [merge(verdicts) for verdicts in zip(*opinions, strict=True)]


def merge(verdicts: Sequence[Detection]) -> Detection:
    """Return one verdict for one prompt: unsafe where any is, with the largest score of each category.

    Detectors have scores of their own units; those here agree that 1 is the concept itself. So a score
    says which category is nearest; `is_unsafe` alone says that a threshold was reached, `engaged_by` whose.
    """
    categories: dict[str, float] = {}
    for verdict in verdicts:
        for name, score in verdict.categories.items():
            categories[name] = max(score, categories.get(name, score))
    engaged_by = dict.fromkeys(name for verdict in verdicts for name in verdict.engaged_by)
    return Detection(
        is_unsafe=any(verdict.is_unsafe for verdict in verdicts),
        score=max(verdict.score for verdict in verdicts),
        categories=categories,
        evidence=_join_evidence([verdict.evidence for verdict in verdicts]),
        remarks=tuple(dict.fromkeys(remark for verdict in verdicts for remark in verdict.remarks)),
        engaged_by=tuple(engaged_by),
    )


def _join_evidence(opinions: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return all evidence; where one detector names part of what another names, the longer words stand for both."""
    joined: list[str] = []
    for evidence in opinions:
        new = [span for span in evidence if not any(_holds(other, span) for other in joined)]
        joined = [span for span in joined if not any(_holds(other, span) for other in new)] + new
    return tuple(dict.fromkeys(joined))


def _holds(span: str, part: str) -> bool:
    return f" {part} " in f" {span} "


def _ask(detector: Detector, prompts: Sequence[str]) -> list[Detection]:
    name = type(detector).__name__
    return [
        replace(verdict, engaged_by=(name,)) if verdict.is_unsafe and not verdict.engaged_by else verdict
        for verdict in verdicts_of(detector, prompts, role="detector", noun="prompts")
    ]


def verdicts_of(
    detector: Callable[[Any], Iterable[Detection]], items: Sequence[Any], *, role: str, noun: str
) -> list[Detection]:
    """Return a detector's verdicts, one an item; an answer that is none is an error, never "safe".

    Args:
        detector: Of prompts or of pictures.
        items: What it judges.
        role: What an error calls it.
        noun: What an error calls the items.

    Raises:
        SafetyFailure: It raised, or gave another number of verdicts, something else, or scores that are not finite.
    """
    name = f"the {role} {type(detector).__name__}"
    try:
        verdicts = list(detector(items))
    except Exception as error:
        raise SafetyFailure(f"{name} failed ({type(error).__name__}: {error}); nothing is returned") from error
    if len(verdicts) != len(items):
        raise SafetyFailure(f"{name} judged {len(verdicts)} of {len(items)} {noun}; nothing is returned")
    if not all(isinstance(verdict, Detection) for verdict in verdicts):
        raise SafetyFailure(f"{name} gave something else than a Detection; nothing is returned")
    if not all(verdict.is_finite for verdict in verdicts):
        raise SafetyFailure(f"{name} gave a score that is not finite; nothing is returned")
    return verdicts
