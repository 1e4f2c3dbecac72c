"""Second-order statistics: how editing a model moves what its denoiser reads of prompts that it should leave alone.

With X the plain model's readings of N prompts, X' the edited model's, (N, D) each, mu and C their mean and covariance:

    mean shift        |mu' - mu| / sqrt(tr C)
    covariance shift  |C' - C| / |C|            (Frobenius)

Both are 0 for a model that is not edited. They are computed from the N x N products of the rows, so that
taking other prompts is cheap however wide the readings are.

An interval is 1.96 standard errors about the value, by the jackknife that leaves half of the prompts out (Shao and
Wu, 1989). A bootstrap would not do: prompts that are drawn twice lengthen both norms, and its interval may miss the
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.results import Figure

SUBSETS = 200
LEAST_PROMPTS = 4
NORMAL = 1.96
"""Half of a 95 % interval, in standard errors."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Both figures, each a mean over the readings' places, with its jackknife interval over prompts."""

    mean: Figure
    covariance: Figure


@dataclass(frozen=True)
class _Products:
    """X' X'^T, X' X^T and X X^T, (N, N) each."""

    edited: Tensor
    mixed: Tensor
    plain: Tensor

    def of(self, rows: Tensor) -> _Products:
        """The products of some of the rows."""
        return _Products(*(part[rows][:, rows] for part in (self.edited, self.mixed, self.plain)))


def products(edited: Tensor, plain: Tensor) -> _Products:
    """Multiply the rows of two readings of the same prompts.

    Raises:
        InvalidInput: Their shapes differ, or there are fewer than two rows.
    """
    if edited.shape != plain.shape or edited.ndim != 2 or len(edited) < 2:
        raise InvalidInput("readings", tuple(edited.shape), f"{tuple(plain.shape)}, at least two rows")
    first, second = edited.double(), plain.double()
    return _Products(first @ first.T, first @ second.T, second @ second.T)


def mean_shift(p: _Products) -> float:
    """|mu' - mu| / sqrt(tr C)."""
    squared = p.edited.mean() - 2.0 * p.mixed.mean() + p.plain.mean()
    return float(squared.clamp_min(0.0).sqrt() / _total_variance(p.plain).sqrt())


def covariance_shift(p: _Products) -> float:
    """|C' - C| / |C|, since <C', C> = |H X' X^T H|^2 / (N - 1)^2 with H the centring matrix."""
    edited, mixed, plain = (_centred(part).square().sum() for part in (p.edited, p.mixed, p.plain))
    return float((edited - 2.0 * mixed + plain).clamp_min(0.0).sqrt() / plain.sqrt())


def shift(edited: Sequence[Tensor], plain: Sequence[Tensor]) -> Shift:
    """Compare readings at several places, each (N, D) for the same N prompts.

    Raises:
        InvalidInput: Shapes differ, or there are fewer than `LEAST_PROMPTS` prompts.
    """
    places = [products(one, other) for one, other in zip(edited, plain, strict=True)]
    count = len(plain[0])
    if count < LEAST_PROMPTS:
        raise InvalidInput("readings", f"{count} rows", f"at least {LEAST_PROMPTS}")
    rng, size = torch.Generator().manual_seed(0), count // 2
    drawn = [torch.randperm(count, generator=rng)[:size] for _ in range(SUBSETS)]
    figures = []
    for measure in (mean_shift, covariance_shift):
        values = [sum(measure(place.of(rows)) for place in places) / len(places) for rows in drawn]
        spread = float(torch.tensor(values, dtype=torch.float64).std())
        half = NORMAL * (size / (count - size)) ** 0.5 * spread
        value = sum(measure(place) for place in places) / len(places)
        figures.append(Figure(value=value, low=max(value - half, 0.0), high=value + half, n=count, unit="relative"))
    return Shift(mean=figures[0], covariance=figures[1])


def _centred(product: Tensor) -> Tensor:
    return product - product.mean(0, keepdim=True) - product.mean(1, keepdim=True) + product.mean()


def _total_variance(product: Tensor) -> Tensor:
    return _centred(product).trace() / (len(product) - 1)
