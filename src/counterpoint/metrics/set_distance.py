"""How far a method's pictures lie from the plain model's as sets: Frechet and kernel distance with their intervals.

Pictures of one prompt are not independent, so prompts are drawn, never single pictures. An interval is
1.96 standard errors about the value; the error is that of the jackknife that leaves a part of the prompts out
(Shao and Wu, 1989): sqrt(m / (n - m)) times the spread over random subsets of m of n prompts. Bootstrap resampling
would hold each picture several times, which pulls both distances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.frechet_distance import frechet_distance
from counterpoint.metrics.kernel_distance import kernel_distance
from counterpoint.results import Figure

LEAST_PROMPTS = 10
LARGEST_SUBSET = 1000
"""Prompts of one subset, as for KID in its paper; fewer where there are not twice as many."""
SUBSETS = 50
NORMAL = 1.96
"""Half of a 95 % interval, in standard errors."""


@dataclass(frozen=True, kw_only=True)
class SetDistance:
    """Both distances in one feature space; 0 where the pictures are the same."""

    frechet: Figure
    """Over all pictures; biased upwards by their small number."""
    kernel: Figure
    """Mean over the subsets; without bias, and so below 0 now and then."""


def set_distance(pictures: Tensor, plain: Tensor, prompts: Sequence[str]) -> SetDistance:
    """Compare two sets of pictures that were drawn of the same prompts from the same noise.

    Args:
        pictures, plain: Features (N, D); row i of both belongs to one prompt and one noise.
        prompts: The prompt of each row, by name.

    Raises:
        InvalidInput: Shapes do not fit, a value is not finite, or there are fewer than `LEAST_PROMPTS` prompts.
    """
    rows: dict[str, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt, []).append(row)
    if len(prompts) != len(pictures) or len(pictures) != len(plain) or len(rows) < LEAST_PROMPTS:
        given = f"{len(pictures)} and {len(plain)} rows of {len(rows)} prompts"
        raise InvalidInput("pictures", given, f"the same number, of at least {LEAST_PROMPTS} prompts")
    subsets = _subsets(list(rows.values()))
    scale = (subsets.size / (len(rows) - subsets.size)) ** 0.5

    def spread(measure: Callable[[Tensor, Tensor], float]) -> tuple[float, float]:
        values = np.array([measure(pictures[chosen], plain[chosen]) for chosen in subsets.rows])
        return float(values.mean()), NORMAL * scale * float(values.std(ddof=1))

    def paired_kernel(one: Tensor, other: Tensor) -> float:
        return kernel_distance(one, other, are_paired=True)

    whole, (_, half) = frechet_distance(pictures, plain), spread(frechet_distance)
    mean, kernel_half = spread(paired_kernel)
    return SetDistance(
        frechet=Figure(value=whole, low=max(whole - half, 0.0), high=whole + half, n=len(pictures), unit="distance"),
        kernel=Figure(value=mean, low=mean - kernel_half, high=mean + kernel_half, n=len(pictures), unit="distance"),
    )


@dataclass(frozen=True)
class _Subsets:
    size: int
    """Prompts of each."""
    rows: list[Tensor]


def _subsets(rows: list[list[int]]) -> _Subsets:
    """Draw `SUBSETS` subsets of the prompts without replacement, always the same ones."""
    rng = np.random.default_rng(0)
    size = min(len(rows) // 2, LARGEST_SUBSET)
    drawn = [rng.permutation(len(rows))[:size] for _ in range(SUBSETS)]
    return _Subsets(size, [torch.tensor([row for prompt in chosen for row in rows[prompt]]) for chosen in drawn])
