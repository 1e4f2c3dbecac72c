"""Second-order statistics: how editing a model moves what its denoiser reads of prompts that it should leave alone.

With X the plain model's readings of N prompts, X' the edited model's, (N, D) each, mu and C their mean and covariance:

    mean shift        |mu' - mu| / sqrt(tr C)
    covariance shift  |C' - C| / |C|            (Frobenius)

Both are 0 for a model that is not edited. They are computed from the N x N products of the rows, so that
resampling prompts is cheap however wide the readings are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.results import Figure

RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Both figures, each a mean over the readings' places, with its bootstrap interval over prompts."""

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
        InvalidInput: Shapes differ, or there are fewer than two prompts.
    """
    places = [products(one, other) for one, other in zip(edited, plain, strict=True)]
    count = len(plain[0])
    rng = torch.Generator().manual_seed(0)
    drawn = [torch.randint(count, (count,), generator=rng) for _ in range(RESAMPLES)]
    drawn = [rows for rows in drawn if bool((rows != rows[0]).any())]
    figures = []
    for measure in (mean_shift, covariance_shift):
        values = [sum(measure(place.of(rows)) for place in places) / len(places) for rows in drawn]
        low, high = torch.tensor(values, dtype=torch.float64).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
        value = sum(measure(place) for place in places) / len(places)
        figures.append(Figure(value=value, low=low, high=high, n=count, unit="relative"))
    return Shift(mean=figures[0], covariance=figures[1])


def _centred(product: Tensor) -> Tensor:
    return product - product.mean(0, keepdim=True) - product.mean(1, keepdim=True) + product.mean()


def _total_variance(product: Tensor) -> Tensor:
    return _centred(product).trace() / (len(product) - 1)
