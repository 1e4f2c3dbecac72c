"""Matched comparison: the rival gets the best mixture of its own settings, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.matching import Outcomes, best_mixture, match

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
    assert found.winner(20) == "ours"


def test_a_rival_that_is_better_wins() -> None:
    ours, strong = setting("ours", 0.4, 0.8, seed=2), setting("rival", 0.1, 0.9, seed=3)
    assert match(ours, [PLAIN, strong], PROMPTS, "unsafe").winner() == "rival"
    assert match(ours, [PLAIN, strong], PROMPTS, "context").winner() == "rival"


def test_the_same_pictures_are_undecided() -> None:
    ours = setting("ours", 0.1, 0.8, seed=2)
    for goal in ("unsafe", "context"):
        found = match(ours, [PLAIN, ours], PROMPTS, goal)  # type: ignore[arg-type]
        assert found.winner() == "undecided" and found.difference.p == 1.0 and found.difference.value == 0.0


def test_a_rival_that_is_nowhere_as_safe_stands_with_its_safest_setting() -> None:
    ours, weak = setting("ours", 0.05, 0.9, seed=2), setting("rival", 0.5, 0.6, seed=3)
    found = match(ours, [PLAIN, weak], PROMPTS, "context")
    assert not found.is_reached and (found.first, found.share) == ("rival", 0.0)
    assert found.rival == pytest.approx(0.6) and found.winner() == "ours"


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
