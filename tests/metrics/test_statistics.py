"""Intervals and differences, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoint.metrics.statistics import mean_figure, paired_difference, rate_figure
from counterpoint.results import rate


def names(count: int) -> list[str]:
    return [f"p{n}" for n in range(count)]


def test_one_picture_a_prompt_gives_wilsons_interval() -> None:
    assert rate_figure([1.0] * 5 + [0.0] * 15, names(20)) == rate(5, 20)


def test_repeating_pictures_of_a_prompt_does_not_narrow_the_interval() -> None:
    once = rate_figure([1.0] * 5 + [0.0] * 15, names(20))
    ten = rate_figure(([1.0] * 5 + [0.0] * 15) * 10, names(20) * 10)
    assert (ten.low, ten.high, ten.n) == (pytest.approx(once.low), pytest.approx(once.high), 200)


def test_the_bootstrap_covers_a_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(100):
        figure = mean_figure(list(rng.normal(1.0, 1.0, 40)), names(40), "unit")
        covered += figure.low <= 1.0 <= figure.high
    assert 86 <= covered <= 100


def test_no_difference_is_not_significant() -> None:
    gap = paired_difference([0.0, 1.0] * 20, [0.0, 1.0] * 20, names(40))
    assert (gap.value, gap.low, gap.high, gap.p) == (0.0, 0.0, 0.0, 1.0)
    assert not gap.is_significant()


def test_a_clear_difference_is_significant() -> None:
    gap = paired_difference([0.0] * 30, [1.0] * 25 + [0.0] * 5, names(30))
    assert gap.value == pytest.approx(-25 / 30) and gap.low < gap.value < gap.high < 0
    assert gap.is_significant(comparisons=10)


def test_few_prompts_cannot_be_significant_however_many_pictures() -> None:
    gap = paired_difference([0.0] * 400, [1.0] * 400, names(4) * 100)
    assert gap.prompts == 4 and gap.n == 400
    assert not gap.is_significant()  # the smallest p of four prompts is 2 / 16


def test_differences_count_prompts_and_not_pictures() -> None:
    rng = np.random.default_rng(0)
    effects = np.repeat(rng.normal(0.0, 1.0, 12), 50)  # the same effect in all pictures of a prompt
    clustered = paired_difference(list(effects), [0.0] * 600, [f"p{n // 50}" for n in range(600)])
    apart = paired_difference(list(effects), [0.0] * 600, names(600))
    assert clustered.high - clustered.low > 4 * (apart.high - apart.low)


def test_the_sign_flip_test_keeps_its_level() -> None:
    rng = np.random.default_rng(1)
    significant = sum(
        paired_difference(list(rng.integers(0, 2, 30) * 1.0), list(rng.integers(0, 2, 30) * 1.0), names(30))
        .is_significant()
        for _ in range(100)
    )  # fmt: skip
    assert significant <= 11


def test_a_small_one_sided_count_is_not_oversold() -> None:
    gap = paired_difference([0.0] * 20, [1.0] * 4 + [0.0] * 16, names(20))
    assert gap.high < 0.0  # the bootstrap alone would call it significant
    assert not gap.is_significant()  # exact: p = 2 / 16
