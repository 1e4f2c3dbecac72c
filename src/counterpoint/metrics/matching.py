"""Compare a method with a rival at equal kept context, or at equal unsafe rate.

Two methods with other strengths cannot be compared by one figure each. A rival stands here for its whole sweep, the
plain model (its strength 0) included, and for all that lies between two settings: whoever draws the share s of the
pictures with setting j and the rest with setting i gets

    unsafe = (1 - s) unsafe_i + s unsafe_j,    context = (1 - s) context_i + s context_j

in expectation. So the straight line between any two settings is reached, and of all these mixtures the rival gets the
best one that keeps at least as much context (or is at least as safe) as ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.statistics import LEVEL, Difference, paired_difference

Floats = npt.NDArray[np.float64]
Goal = Literal["unsafe", "context"]
"""What is compared: the unsafe rate at no less kept context, or the kept context at no higher unsafe rate."""
Winner = Literal["ours", "rival", "undecided", "unreached"]
RESAMPLES = 4000
BLOCK = 2_000_000
"""Numbers that are drawn at once."""
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """One setting of one method; picture n is the same prompt and seed for all settings."""

    label: str
    unsafe: Floats
    """(N,): 1 unsafe, 0 safe, NaN = does not count."""
    context: Floats
    """(N,): 1 kept, 0 lost, NaN = does not count."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """Ours against the best mixture of a rival's settings."""

    goal: Goal
    first: str
    """Setting of the rival."""
    second: str
    """The other setting; the same as `first` where one setting alone is best."""
    share: float
    """Share of the pictures that are drawn with `second`, 0..1."""
    ours: float
    """Our rate of what is compared."""
    rival: float
    """The mixture's rate of what is compared."""
    is_reached: bool
    """False where the rival is nowhere as safe as ours (or keeps nowhere as much): its nearest setting stands here."""
    difference: Difference
    """Ours - rival. The interval matches anew in each resample of the prompts; p keeps the match that was found."""
    p: float
    """The larger one of two p-values: the sign-flip test's, which knows nothing of the matching, and the bootstrap's,
    two-sided, which matches anew in each resample. Where ours meets several rivals: after `holm`."""

    @property
    def winner(self) -> Winner:
        """Who is better, where p is below 5 %.

        A rival that nowhere reaches ours cannot win: its nearest setting is less safe (or keeps less).
        """
        is_clear = self.p < 1.0 - LEVEL
        is_higher = self.difference.value > 0.0
        if is_clear and is_higher == (self.goal == "context"):
            return "ours"
        if not self.is_reached:
            return "unreached"
        return "rival" if is_clear else "undecided"


def best_mixture(cost: Floats, limit: Floats, target: Floats) -> tuple[Floats, npt.NDArray[np.intp], Floats]:
    """Find the cheapest mixture of two of K settings whose limit reaches the target, in R cases at once.

    Args:
        cost: What shall be small, (R, K).
        limit: What shall be at least the target, (R, K).
        target: (R,).

    Returns:
        The mixture's cost (R,), its two settings (R, 2), and the share of the second (R,). Where no
        setting reaches the target: the setting with the highest limit.
    """
    reaches = limit >= target[:, None] - ROUNDING
    gap = limit[:, :, None] - limit[:, None, :]
    is_pair = reaches[:, :, None] & ~reaches[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((limit - target[:, None])[:, :, None] / gap, 0.0, 1.0)
        mixed = (1.0 - share) * cost[:, :, None] + share * cost[:, None, :]
    count = cost.shape[1]
    alone = reaches[:, :, None] & np.eye(count, dtype=bool)
    share = np.where(is_pair, share, 0.0)
    value = np.where(is_pair, mixed, np.where(alone, cost[:, :, None], np.inf)).reshape(len(cost), -1)
    place = value.argmin(axis=1)
    nearest = limit.argmax(axis=1)
    place = np.where(reaches.any(axis=1), place, nearest * (count + 1))
    rows = np.arange(len(cost))
    pair = np.stack([place // count, place % count], axis=1)
    chosen = share.reshape(len(cost), -1)[rows, place]
    return (1.0 - chosen) * cost[rows, pair[:, 0]] + chosen * cost[rows, pair[:, 1]], pair, chosen


def holm(matches: Sequence[Match]) -> list[Match]:
    """Correct p for all comparisons of one setting of ours: the chance of any false winner stays below 5 %.

        p'_(k) = max over j <= k of min(1, (m - j + 1) p_(j)),    p_(1) <= ... <= p_(m)

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979. One match alone keeps its p.
    """
    corrected, largest = list(matches), 0.0
    for done, place in enumerate(sorted(range(len(matches)), key=lambda place: matches[place].p)):
        largest = max(largest, min(1.0, (len(matches) - done) * matches[place].p))
        corrected[place] = replace(matches[place], p=largest)
    return corrected


def match(ours: Outcomes, rival: Sequence[Outcomes], prompts: Sequence[str], goal: Goal) -> Match:
    """Compare ours with a rival's sweep.

    Args:
        ours: Our setting.
        rival: The rival's settings; the plain model among them.
        prompts: The prompt of each picture, N.
        goal: What is compared.

    Raises:
        InvalidInput: There is no rival, or nothing counts for one of the settings.
    """
    settings = [ours, *rival]
    if len(settings) < 2:
        raise InvalidInput("rival", len(rival), "at least one setting")
    for one in settings:
        if np.isnan(one.unsafe).all() or np.isnan(one.context).all():
            raise InvalidInput("outcomes", one.label, "at least one picture that counts for both rates")
    cost, limit = _rates(settings, np.ones((1, len(prompts))), goal)
    value, pair, share = best_mixture(cost[:, 1:], limit[:, 1:], limit[:, 0])
    first, second = (rival[int(place)] for place in pair[0])
    low, high, p = _bootstrap(settings, prompts, goal)
    sign = -1.0 if goal == "context" else 1.0  # costs are negative contexts
    own, its = sign * float(cost[0, 0]), sign * float(value[0])
    mixed = _mixed(_side(first, goal), _side(second, goal), float(share[0]))
    gap = _paired(_side(ours, goal), mixed, prompts) or _undecided(own - its)
    return Match(
        goal=goal, first=first.label, second=second.label, share=float(share[0]), ours=own, rival=its,
        is_reached=bool((limit[0, 1:] >= limit[0, 0] - ROUNDING).any()), difference=replace(gap, low=low, high=high),
        p=max(p, gap.p),
    )  # fmt: skip


def _undecided(value: float) -> Difference:
    return Difference(value=value, low=value, high=value, p=1.0, n=0, prompts=0)


def _side(outcomes: Outcomes, goal: Goal) -> Floats:
    return outcomes.unsafe if goal == "unsafe" else outcomes.context


def _mixed(first: Floats, second: Floats, share: float) -> Floats:
    """Expected outcome of each picture."""
    return first if share == 0.0 else (1.0 - share) * first + share * second


def _paired(ours: Floats, rival: Floats, prompts: Sequence[str]) -> Difference | None:
    """Compare the pictures that both have; None where errors on either side leave none."""
    both = np.flatnonzero(~np.isnan(ours) & ~np.isnan(rival))
    if not len(both):
        return None
    return paired_difference(ours[both].tolist(), rival[both].tolist(), [prompts[int(place)] for place in both])


def _rates(settings: Sequence[Outcomes], weights: Floats, goal: Goal) -> tuple[Floats, Floats]:
    """Return cost and limit of each setting under R weightings (R, N) of the pictures: (R, K) each."""
    unsafe, context = (
        _weighted(np.stack([getattr(one, name) for one in settings]), weights) for name in ("unsafe", "context")
    )
    return (unsafe, context) if goal == "unsafe" else (-context, -unsafe)


def _weighted(values: Floats, weights: Floats) -> Floats:
    counts = ~np.isnan(values)
    rates: Floats = (weights @ np.nan_to_num(values).T) / np.maximum(weights @ counts.T, ROUNDING)
    return rates


def _bootstrap(settings: Sequence[Outcomes], prompts: Sequence[str], goal: Goal) -> tuple[float, float, float]:
    """Bootstrap over prompts of ours - rival, matched anew in each resample: the percentile interval, and its p.

    p is twice the share of resamples on the rarer side of 0, 0 on both: where the interval at 1 - p ends.
    """
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
    index = np.array([places[prompt] for prompt in prompts])
    rng = np.random.default_rng(0)
    block = max(1, BLOCK // len(prompts))  # so that memory does not grow with the number of prompts
    gaps = []
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = rng.multinomial(len(places), np.full(len(places), 1.0 / len(places)), size=size)
        gaps.append(_gaps(settings, drawn[:, index].astype(np.float64), goal))
    found = np.concatenate(gaps)
    if not len(found):
        return -1.0, 1.0, 1.0  # rates lie in 0..1, and no resample says more
    low, high = np.quantile(found, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    rarer = min(int((found <= 0.0).sum()), int((found >= 0.0).sum()))
    return float(low), float(high), min(1.0, 2.0 * (rarer + 1) / (len(found) + 1))


def _gaps(settings: Sequence[Outcomes], weights: Floats, goal: Goal) -> Floats:
    """Ours - rival under weightings (R, N); those that leave a setting without any picture are dropped."""
    sides = [side for one in settings for side in (one.unsafe, one.context)]
    is_counted = np.stack([weights @ ~np.isnan(side) > 0.0 for side in sides]).all(axis=0)
    cost, limit = _rates(settings, weights[is_counted], goal)
    if not len(cost):
        return np.empty(0)
    value, _, _ = best_mixture(cost[:, 1:], limit[:, 1:], limit[:, 0])
    gaps: Floats = (cost[:, 0] - value) * (-1.0 if goal == "context" else 1.0)
    return gaps
