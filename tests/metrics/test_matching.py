"""Matched comparison: the rival gets the best mixture of its own settings, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.matching import Match, Outcomes, best_mixture, holm, match

COUNT = 200
PROMPTS = [f"p{n}" for n in range(COUNT)]


def setting(label: str, unsafe: float, context: float, *, seed: int = 0) -> Outcomes:
    """Outcomes with these shares, spread over the prompts by chance."""
    rng = np.random.default_rng(seed)

    def spread(share: float) -> np.ndarray:
        return rng.permutation(np.arange(COUNT) < round(share * COUNT)).astype(float)

    return Outcomes(label=label, unsafe=spread(unsafe), context=spread(context))


PLAIN = setting("plain", 0.9, 1.0, seed=1)


def test_a_mixture_lies_on_the_line_between_two_settings() -> None:
    cost, limit = np.array([[0.9, 0.5, 0.1]]), np.array([[1.0, 0.9, 0.5]])
    value, pair, share = best_mixture(cost, limit, np.array([0.7]))
    assert (pair[0].tolist(), share[0]) == ([1, 2], pytest.approx(0.5))
    assert value[0] == pytest.approx(0.3)


def test_a_setting_below_the_line_is_skipped() -> None:
    cost, limit = np.array([[0.9, 0.8, 0.1]]), np.array([[1.0, 0.7, 0.5]])  # the middle one is worse than the line
    value, pair, share = best_mixture(cost, limit, np.array([0.75]))
    assert pair[0].tolist() == [0, 2] and value[0] == pytest.approx(0.5) and share[0] == pytest.approx(0.5)


def test_one_setting_alone_is_best_where_it_keeps_more() -> None:
    value, pair, share = best_mixture(np.array([[0.9, 0.2]]), np.array([[1.0, 0.95]]), np.array([0.9]))
    assert (value[0], pair[0].tolist(), share[0]) == (0.2, [1, 1], 0.0)


def test_each_case_is_matched_by_itself() -> None:
    cost, limit = np.array([[0.8, 0.0], [0.4, 0.2]]), np.array([[1.0, 0.0], [1.0, 0.5]])
    value, _, share = best_mixture(cost, limit, np.array([0.5, 1.0]))
    assert value.tolist() == pytest.approx([0.4, 0.4]) and share.tolist() == pytest.approx([0.5, 0.0])


def test_a_rival_that_keeps_less_is_beaten_at_equal_context() -> None:
    ours, weak = setting("ours", 0.05, 0.9, seed=2), setting("rival", 0.05, 0.5, seed=3)
    found = match(ours, [PLAIN, weak], PROMPTS, "unsafe")
    assert (found.first, found.second, found.is_reached) == ("plain", "rival", True)
    assert found.rival == pytest.approx(0.9 - 0.2 * 0.85) and found.ours == pytest.approx(0.05)
    assert found.difference.value == pytest.approx(found.ours - found.rival)
    assert found.difference.low < found.difference.value < found.difference.high < 0
    assert found.winner == "ours"


def test_a_rival_that_is_better_wins() -> None:
    ours, strong = setting("ours", 0.4, 0.8, seed=2), setting("rival", 0.1, 0.9, seed=3)
    assert match(ours, [PLAIN, strong], PROMPTS, "unsafe").winner == "rival"
    assert match(ours, [PLAIN, strong], PROMPTS, "context").winner == "rival"


def test_the_same_pictures_are_undecided() -> None:
    ours = setting("ours", 0.1, 0.8, seed=2)
    for goal in ("unsafe", "context"):
        found = match(ours, [PLAIN, ours], PROMPTS, goal)  # type: ignore[arg-type]
        assert found.winner == "undecided" and found.difference.p == 1.0 and found.difference.value == 0.0


def test_a_rival_that_is_nowhere_as_safe_stands_with_its_safest_setting() -> None:
    ours, weak = setting("ours", 0.05, 0.9, seed=2), setting("rival", 0.5, 0.6, seed=3)
    found = match(ours, [PLAIN, weak], PROMPTS, "context")
    assert not found.is_reached and (found.first, found.share) == ("rival", 0.0)
    assert found.rival == pytest.approx(0.6) and found.winner == "ours"


def test_errors_count_for_neither_side() -> None:
    ours = setting("ours", 0.0, 1.0)
    unsafe = PLAIN.unsafe.copy()
    unsafe[:50] = np.nan
    found = match(ours, [Outcomes(label="plain", unsafe=unsafe, context=PLAIN.context)], PROMPTS, "unsafe")
    assert found.difference.n == COUNT - 50
    assert found.rival == pytest.approx(np.nanmean(unsafe))


def test_nothing_to_compare_is_refused() -> None:
    empty = Outcomes(label="empty", unsafe=np.full(COUNT, np.nan), context=PLAIN.context)
    with pytest.raises(InvalidInput, match="empty"):
        match(PLAIN, [empty], PROMPTS, "unsafe")
    with pytest.raises(InvalidInput, match="rival"):
        match(PLAIN, [], PROMPTS, "unsafe")


def test_p_knows_of_the_matching() -> None:
    """The sign-flip test keeps the match that was found, so it would call sure what other matches undo."""
    ours, first = setting("ours", 0.2, 0.8, seed=4), setting("first", 0.4, 0.8, seed=5)
    second = setting("second", 0.05, 0.79, seed=6)  # keeps as much as ours in about half of the resamples
    found = match(ours, [first, second], PROMPTS, "unsafe")
    assert found.first == "first" and found.difference.p < 0.01
    assert found.p > 0.05 and found.winner == "undecided"


def test_holm_corrects_step_by_step() -> None:
    ours, rival = setting("ours", 0.2, 0.8, seed=4), setting("rival", 0.3, 0.8, seed=5)
    one = match(ours, [PLAIN, rival], PROMPTS, "unsafe")

    def corrected(*p: float) -> list[float]:
        return [found.p for found in holm([replace(one, p=value) for value in p])]

    # An independent implementation, statsmodels' multipletests(method="holm"), gives the same numbers.
    assert corrected(0.01, 0.04, 0.03, 0.005) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected(0.6, 0.001, 0.9) == pytest.approx([1.0, 0.003, 1.0])
    assert corrected(0.04) == [0.04] and holm([]) == []


def test_a_winner_stands_on_the_corrected_p() -> None:
    ours, weak = setting("ours", 0.05, 0.9, seed=2), setting("rival", 0.05, 0.5, seed=3)
    found = match(ours, [PLAIN, weak], PROMPTS, "unsafe")
    many: list[Match] = holm([replace(found, p=0.01)] * 6)
    assert found.winner == "ours" and {one.winner for one in many} == {"undecided"}


def test_a_resample_without_a_picture_that_counts_is_no_safe_one() -> None:
    """Of the rival, one picture of six was judged: a third of the resamples lack it."""
    prompts = PROMPTS[:6]
    plain = Outcomes(label="plain", unsafe=np.ones(6), context=np.ones(6))
    one = np.array([1.0, *[np.nan] * 5])
    found = match(plain, [plain, Outcomes(label="rival", unsafe=one, context=one)], prompts, "unsafe")
    assert (found.difference.low, found.difference.high) == (0.0, 0.0)


def test_pictures_that_none_have_in_common_decide_nothing() -> None:
    first, second = np.ones(COUNT), np.zeros(COUNT)
    first[:100], second[100:] = np.nan, np.nan
    ours = Outcomes(label="ours", unsafe=second, context=np.ones(COUNT))
    found = match(ours, [Outcomes(label="rival", unsafe=first, context=np.ones(COUNT))], PROMPTS, "unsafe")
    assert (found.difference.n, found.difference.value, found.winner) == (0, -1.0, "undecided")
