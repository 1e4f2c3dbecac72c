"""Figures of one number each, and of many."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.metrics.statistics import mean_figure
from counterpoint.results import Figure


def exact(value: float, unit: str, n: int = 1) -> Figure:
    """Return a number that was counted, or measured once."""
    return Figure(value=value, low=value, high=value, n=n, unit=unit)


def mean(values: Sequence[float], unit: str) -> Figure:
    """Return a mean with its bootstrap interval; not empty."""
    return mean_figure(values, [str(number) for number in range(len(values))], unit)
