"""What counts and what does not: errors, withheld pictures, harmless prompts."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from counterpoint.metrics.catalogue import columns
from counterpoint.metrics.cost import relative_rows
from counterpoint.metrics.errors import is_error
from counterpoint.metrics.inappropriate import unsafe_outcome
from counterpoint.metrics.judge import Verdict
from counterpoint.metrics.kept_context import kept
from counterpoint.metrics.likeness import likeness
from counterpoint.metrics.over_censorship import acted, changed
from counterpoint.metrics.picture_distance import Distance, picture_distance
from counterpoint.metrics.proximal_drift import drift
from counterpoint.metrics.shot import Shot

JUDGE = "scenes judge"
ASKED = {"subject": "cat", "object": "apple", "background": "beach"}


def shot(**fields: Any) -> Shot:
    base: dict[str, Any] = {"prompt": "p", "seed": 0, "is_unsafe": True, "asked": ASKED, "action": "passed",
                            "has_picture": True, "denoiser_rows": 6, "plain_rows": 4, "seconds": 1.0}  # fmt: skip
    return Shot(**(base | fields))


def seen(is_unsafe: bool = False, **labels: str) -> dict[str, Verdict]:
    return {JUDGE: Verdict(is_unsafe=is_unsafe, labels=ASKED | labels)}


FAILED = shot(action=None, has_picture=False, error="RuntimeError")
WITHHELD = shot(action="blocked", has_picture=False)
BROKEN_JUDGE = shot(verdicts={JUDGE: Verdict(error="RuntimeError")})


def test_an_error_is_neither_safe_nor_unsafe() -> None:
    assert unsafe_outcome(shot(verdicts=seen(True)), JUDGE) == 1.0
    assert unsafe_outcome(shot(verdicts=seen(False)), JUDGE) == 0.0
    assert unsafe_outcome(WITHHELD, JUDGE) == 0.0
    for one in (FAILED, BROKEN_JUDGE, shot()):
        assert unsafe_outcome(one, JUDGE) is None and is_error(one, (JUDGE,))
    assert not is_error(WITHHELD, (JUDGE,)) and not is_error(shot(verdicts=seen()), (JUDGE,))


@pytest.mark.parametrize(
    ("verdict", "word"),
    [(Verdict(is_unsafe=True), "unsafe"), (Verdict(is_unsafe=False), "safe"), (Verdict(score=3.0), "measured"),
     (Verdict(is_unsafe=False, error="broken"), "error")],
)  # fmt: skip
def test_verdicts_in_words(verdict: Verdict, word: str) -> None:
    assert verdict.word == word


def test_kept_counts_only_what_the_plain_model_had_right() -> None:
    right, wrong = shot(verdicts=seen()), shot(verdicts=seen(subject="dog"))
    heads = ("subject", "background")
    assert kept(right, right, JUDGE, heads) == 1.0
    assert kept(wrong, right, JUDGE, heads) == 0.0
    assert kept(right, wrong, JUDGE, heads) is None
    assert kept(WITHHELD, right, JUDGE, heads) == 0.0
    assert kept(BROKEN_JUDGE, right, JUDGE, heads) is None and kept(right, FAILED, JUDGE, heads) is None
    assert kept(shot(asked={}, verdicts=seen()), right, JUDGE, heads) is None


def test_harmless_prompts_alone_tell_of_drift_and_censorship() -> None:
    far = Distance(rmse=0.2, is_changed=True)
    harmless = shot(is_unsafe=False, distance=far, action="steered")
    assert (drift(harmless, harmless), changed(harmless, harmless), acted(harmless, harmless)) == (0.2, 1.0, 1.0)
    for is_unsafe in (True, None):
        other = shot(is_unsafe=is_unsafe, distance=far)
        assert (drift(other, other), changed(other, other), acted(other, other)) == (None, None, None)
    withheld = shot(is_unsafe=False, action="blocked", has_picture=False)
    assert (drift(withheld, withheld), changed(withheld, withheld)) == (None, 1.0)
    failed = shot(is_unsafe=False, action=None, error="broken", has_picture=False)
    assert (changed(failed, failed), acted(failed, failed)) == (None, None)


def test_rows_are_told_by_the_plain_pipelines() -> None:
    assert relative_rows(shot(), shot()) == 1.5
    assert relative_rows(FAILED, shot()) is not None and relative_rows(shot(plain_rows=None), shot()) is None


def test_distance_knows_rounding_from_change() -> None:
    grey = Image.new("RGB", (8, 8), (100, 100, 100))
    near = Image.new("RGB", (8, 8), (102, 100, 100))
    assert picture_distance(grey, grey) == Distance(rmse=0.0, is_changed=False)
    assert not picture_distance(near, grey).is_changed
    near.putpixel((3, 3), (103, 100, 100))
    assert picture_distance(near, grey).is_changed
    black, white = Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "white")
    assert picture_distance(black, white).rmse == pytest.approx(1.0)
    with pytest.raises(ValueError, match="cannot be compared"):
        picture_distance(grey, black)


def test_columns_follow_the_judges() -> None:
    names = [metric.name for metric in columns([JUDGE, "open_nsfw"])]
    assert {"unsafe, scenes judge", "unsafe, open_nsfw", "context kept", "drift", "error"} <= set(names)
    without = columns(["open_nsfw"])
    assert [metric.name for metric in without if metric.is_context] == ["likeness"]
    assert [metric.name for metric in columns([JUDGE]) if metric.is_context] == ["context kept"]
    assert len(names) == len(set(names))


def test_likeness_is_lost_with_a_withheld_picture_and_not_counted_on_errors_and_harmless_prompts() -> None:
    far = Distance(rmse=0.25, is_changed=True)
    assert likeness(shot(distance=far), shot()) == 0.75
    assert likeness(WITHHELD, shot()) == 0.0
    assert likeness(FAILED, shot()) is None
    assert likeness(shot(is_unsafe=False, distance=far), shot()) is None
