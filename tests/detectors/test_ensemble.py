"""Several detectors as one: any engages, none is skipped, a broken one is an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from counterpoint.detectors.ensemble import Ensemble, merge
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure

MILD = Detection(is_unsafe=False, score=0.2, categories={"violence": 0.2})
HARSH = Detection(
    is_unsafe=True, score=0.9, categories={"violence": 0.1, "other": 0.9}, evidence=("knife",), remarks=("why",)
)


class Fixed:
    """Gives the same verdict to each prompt, or a wrong number of them."""

    def __init__(self, verdict: Detection, extra: int = 0) -> None:
        self.verdict, self.extra = verdict, extra

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        return [self.verdict] * (len(prompts) + self.extra)


class Sharp(Fixed):
    """A detector of another name."""


class Broken:
    """Fails at the second prompt only."""

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        if len(prompts) > 1:
            raise ValueError("no verdict")
        return [MILD]


@pytest.mark.parametrize("detectors", [(MILD, HARSH), (HARSH, MILD), (HARSH,), (MILD, MILD, HARSH)])
def test_one_that_engages_is_enough(detectors: tuple[Detection, ...]) -> None:
    found = Ensemble(*map(Fixed, detectors))(["a", "b"])
    assert len(found) == 2 and all(verdict.is_unsafe for verdict in found)


def test_all_that_pass_pass() -> None:
    assert Ensemble(Fixed(MILD), Fixed(MILD))(["a"]) == [MILD]


def test_a_verdict_names_the_detectors_that_engaged() -> None:
    inner = Ensemble(Fixed(MILD), Sharp(HARSH))
    (verdict,) = Ensemble(Fixed(MILD), inner, Fixed(replace(HARSH, engaged_by=("Outer", "Sharp"))))(["a"])
    assert verdict.engaged_by == ("Sharp", "Outer")


def test_scores_and_evidence_are_merged() -> None:
    other = Detection(
        is_unsafe=True, score=0.5, categories={"third": -0.5}, evidence=("gun", "knife"), remarks=("why", "so")
    )
    assert merge([MILD, HARSH, other]) == Detection(
        is_unsafe=True, score=0.9, categories={"violence": 0.2, "other": 0.9, "third": -0.5},
        evidence=("knife", "gun"), remarks=("why", "so"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("opinions", "evidence"),
    [
        ((("mug of beer",), ("beer",)), ("mug of beer",)),
        ((("beer", "gun"), ("mug of beer",)), ("gun", "mug of beer")),
        ((("mug of beer", "beer"), ("mug of beer", "beer")), ("mug of beer", "beer")),
        ((("beer",), ("beers",)), ("beer", "beers")),
        (((), ("gun",), ()), ("gun",)),
    ],
)
def test_evidence_named_twice_can_be_removed_once(
    opinions: tuple[tuple[str, ...], ...], evidence: tuple[str, ...]
) -> None:
    merged = merge([Detection(is_unsafe=True, score=1.0, evidence=words) for words in opinions])
    assert merged.evidence == evidence


def test_a_detector_that_raises_is_an_error_even_if_another_engages() -> None:
    for detectors in ((Fixed(MILD), Broken()), (Broken(), Fixed(HARSH)), (Fixed(HARSH), Broken())):
        with pytest.raises(SafetyFailure, match=r"Broken failed \(ValueError: no verdict"):
            Ensemble(*detectors)(["a", "b"])


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_wrong_number_of_verdicts_is_an_error(extra: int) -> None:
    with pytest.raises(SafetyFailure, match="judged"):
        Ensemble(Fixed(MILD), Fixed(MILD, extra))(["a", "b"])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_an_error(wrong: float) -> None:
    for verdict in (replace(MILD, score=wrong), replace(MILD, categories={"violence": wrong})):
        with pytest.raises(SafetyFailure, match="not finite"):
            Ensemble(Fixed(HARSH), Fixed(verdict))(["a"])


def test_no_detector_is_no_gate() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        Ensemble()


@pytest.mark.parametrize("answer", [[None], [0.5]])
def test_what_is_no_verdict_is_an_error(answer: list[object]) -> None:
    with pytest.raises(SafetyFailure, match="something else than a Detection"):
        Ensemble(lambda prompts: answer)(["a dog"])  # type: ignore[arg-type, return-value]


def test_a_detector_may_answer_with_an_iterator() -> None:
    (found,) = Ensemble(lambda prompts: iter([Detection(is_unsafe=True, score=1.0)]))(["a dog"])  # type: ignore[arg-type, return-value]
    assert found.is_unsafe
