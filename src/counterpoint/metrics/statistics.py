"""Intervals and paired differences, for pictures of which several may come from one prompt.

Pictures of one prompt are not independent, so all of this counts prompts:

- a rate has a Wilson interval at its number of prompts, as if a prompt's pictures always agreed. It
  is exact for one picture a prompt, and too wide rather than too narrow for several;
- a mean and a paired difference have a percentile bootstrap over prompts;
- a difference is significant where that interval excludes 0 *and* a sign-flip test over prompts says
  so: the bootstrap alone is too sure of itself on small samples.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from counterpoint.results import Figure, wilson_interval

RESAMPLES = 4000
BLOCK = 2_000_000
"""Numbers that are drawn at once."""
LEVEL = 0.95
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean of first - second over the pictures that both have."""

    value: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    p: float
    """Two-sided sign-flip test over prompts, 0..1; 1 where nothing differs."""
    n: int
    """Pictures."""
    prompts: int

    def is_significant(self, comparisons: int = 1) -> bool:
        """Whether the difference holds at 5 % after Bonferroni's correction for that many comparisons."""
        excludes_zero = self.low > 0.0 or self.high < 0.0
        return excludes_zero and self.p < (1.0 - LEVEL) / comparisons


def rate_figure(outcomes: Sequence[float], prompts: Sequence[str]) -> Figure:
    """Share of outcomes that are 1, with a Wilson interval at the number of prompts; not empty."""
    share = float(np.mean(outcomes))
    count = len(set(prompts))
    low, high = wilson_interval(share * count, count)
    return Figure(value=share, low=low, high=high, n=len(outcomes), unit="fraction")


def mean_figure(outcomes: Sequence[float], prompts: Sequence[str], unit: str) -> Figure:
    """Mean with its bootstrap interval over prompts; not empty."""
    sums, counts = _by_prompt(np.asarray(outcomes, dtype=np.float64), prompts)
    low, high = _interval(sums, counts)
    return Figure(value=float(np.mean(outcomes)), low=low, high=high, n=len(outcomes), unit=unit)


def median_figure(values: Sequence[float], unit: str) -> Figure:
    """Return the median with the 95 % interval of its order statistics; not empty."""
    ordered, skipped = sorted(values), ranks_outside(len(values))
    return Figure(
        value=statistics.median(ordered), low=ordered[skipped], high=ordered[-1 - skipped], n=len(values), unit=unit
    )


def ranks_outside(n: int) -> int:
    """Return how many of n sorted values lie outside of the median's 95 % interval at each end.

    The median of what they are drawn from lies below the k-th of them with probability P(Bin(n, 1/2) < k), whatever
    the distribution. Up to 5 values the interval is all of them, which hold it less often (4: 87.5 %).
    """
    skipped, below = 0, 1  # samples of 2^n, as whole numbers: for large n they are no floats
    while (below := below + math.comb(n, skipped + 1)) * 40 <= 2**n:
        skipped += 1
    return skipped


def paired_difference(first: Sequence[float], second: Sequence[float], prompts: Sequence[str]) -> Difference:
    """Compare two methods on the same pictures (same prompt, same seed); not empty.

    Args:
        first, second: Outcomes of the same pictures, in the same order.
        prompts: The prompt of each picture.
    """
    gaps = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    sums, counts = _by_prompt(gaps, prompts)
    low, high = _interval(sums, counts)
    return Difference(
        value=float(gaps.mean()), low=low, high=high, p=_sign_flip_p(sums), n=len(gaps), prompts=len(sums)
    )


def _by_prompt(values: Floats, prompts: Sequence[str]) -> tuple[Floats, Floats]:
    """Return each prompt's sum of values and number of values, prompts in their order of appearance."""
    places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
    index = np.array([places[prompt] for prompt in prompts])
    sums = np.bincount(index, weights=values).astype(np.float64)
    return sums, np.bincount(index).astype(np.float64)


def _interval(sums: Floats, counts: Floats) -> tuple[float, float]:
    """95 % percentile interval of sum / count over resampled prompts (Efron 1979)."""
    number = len(sums)
    rng = np.random.default_rng(0)
    block = max(1, BLOCK // number)  # so that memory does not grow with the number of prompts
    means = []
    for start in range(0, RESAMPLES, block):
        drawn = rng.integers(number, size=(min(block, RESAMPLES - start), number))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return float(low), float(high)


def _sign_flip_p(sums: Floats) -> float:
    """Share of random sign patterns whose |sum| is at least the observed one; counts the observed one itself."""
    moved = sums[sums != 0.0]
    if not len(moved):
        return 1.0
    rng = np.random.default_rng(0)
    block = max(1, BLOCK // len(moved))
    observed = abs(float(moved.sum())) - 1e-12
    at_least = 0
    for start in range(0, RESAMPLES, block):
        signs = rng.integers(2, size=(min(block, RESAMPLES - start), len(moved))) * 2 - 1
        at_least += int((np.abs(signs @ moved) >= observed).sum())
    return (at_least + 1) / (RESAMPLES + 1)
