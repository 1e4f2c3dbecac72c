"""The dial."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from counterpoint.interfaces import InvalidInput
from counterpoint.levels import LEVELS, resolve_safety, schedule_for

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def test_names_and_numbers_are_one_dial() -> None:
    assert [resolve_safety(name) for name in LEVELS] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert resolve_safety("0.3") == resolve_safety(0.3) == 0.3


@pytest.mark.parametrize("safety", ["extreme", "", -0.01, 1.01, float("nan"), float("inf"), None, True, "nan"])
def test_anything_else_is_refused_by_name(safety: Any) -> None:
    with pytest.raises(InvalidInput, match="safety"):
        resolve_safety(safety)


def test_off_is_weight_zero_and_max_is_the_safe_stream_from_the_first_step() -> None:
    assert schedule_for(0.0).weight == 0.0
    assert (schedule_for(1.0).weight, schedule_for(1.0).tau) == (1.0, 0.0)


def test_more_safety_is_never_a_smaller_weight_nor_a_later_start() -> None:
    dial = [schedule_for(i / 1000) for i in range(1001)]
    assert all(a.weight <= b.weight and a.tau >= b.tau for a, b in pairwise(dial))


@pytest.mark.parametrize("page", ["calibration", "dial"])
def test_the_unsafe_rate_that_was_measured_never_rises_beyond_its_interval(page: str) -> None:
    """On validation and on test prompts, as the committed pages say."""
    figures = json.loads((RESULTS / f"{page}.json").read_text(encoding="utf-8"))["figures"]
    dial = [figures[f"{number / 10:.1f}: unsafe"] for number in range(11)]
    for before, after in pairwise(dial):
        assert after["value"] <= before["high"]
    assert dial[-1]["high"] < dial[0]["low"]
