"""The local weight map: mix only where the two streams disagree, so that the rest of the picture stays.

Both engines share it. The fused engine has the two predictions; the reference engine has the two
latents after a step from a common start, and for a solver of one step their difference is that of the
predictions times a number, which the map does not depend on. Multistep solvers carry differences of
earlier steps along: there the two engines' maps differ a little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from counterpoint.interfaces import InvalidInput


@dataclass(frozen=True, kw_only=True)
class LocalWeight:
    """Where the weight of the mix counts.

    Raises:
        InvalidInput: A field lies outside its range.
    """

    threshold: float = 1.0
    """Disagreement, as a multiple of its mean over the picture, from which the whole weight counts; from 0.
    0 = everywhere, the global weight."""
    softness: float = 0.5
    """Width of the ramp below the threshold, in the same unit, above 0; a small number is a hard edge."""
    smooth: int = 3
    """Side of the box filter on the disagreement, in cells of the latents, odd; 1 = none."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold >= 0.0):
            raise InvalidInput("threshold", self.threshold, "a finite number from 0")
        if not (math.isfinite(self.softness) and self.softness > 0.0):
            raise InvalidInput("softness", self.softness, "a finite number above 0")
        if isinstance(self.smooth, bool) or self.smooth < 1 or self.smooth % 2 == 0:
            raise InvalidInput("smooth", self.smooth, "an odd whole number from 1")


def weight_map(original: Tensor, safe: Tensor, local: LocalWeight) -> Tensor:
    """Return the map m that multiplies the weight: 1 where the streams disagree, 0 where they agree.

        d(p) = mean over channels of |safe(p) - original(p)|, box-filtered
        r(p) = d(p) / mean over the picture of d
        m(p) = clamp(1 + (r(p) - min(threshold, max r)) / softness, 0, 1)

    The mean of r is 1: where the streams disagree alike everywhere, a threshold up to 1 mixes everywhere.

    Args:
        original: Prediction or latents of the prompt's stream, (B, C, H, W), (B, C, F, H, W) or packed (B, L, C).
        safe: The same of the safe stream.
        local: How to make the map of the disagreement.

    Returns:
        m of the same dtype, with a channel axis of length 1: (B, 1, H, W), (B, 1, F, H, W) or (B, L, 1).

    Raises:
        InvalidInput: Packed latents are to be smoothed: they have no grid.
    """
    channels = -1 if original.ndim == 3 else 1
    disagreement = (safe.float() - original.float()).abs().mean(channels)  # (B, H, W), (B, F, H, W) or (B, L)
    if local.smooth > 1:
        if original.ndim == 3:
            raise InvalidInput("smooth", local.smooth, "1: this pipeline packs its latents, which have no grid then")
        disagreement = _box_filter(disagreement, local.smooth)
    axes = tuple(range(1, disagreement.ndim))
    mean = disagreement.mean(axes, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    ratio = disagreement / mean
    # No threshold may leave the safe stream out: where the streams disagree most, the whole weight counts.
    threshold = ratio.amax(axes, keepdim=True).clamp_max(local.threshold)
    ramp = 1.0 + (ratio - threshold) / local.softness
    return ramp.clamp(0.0, 1.0).unsqueeze(channels).to(original.dtype)


def combined_map(
    original: Tensor, safe: Tensor, local: LocalWeight | None, strengths: Sequence[float] | None
) -> Tensor | None:
    """Return what multiplies the weight: the local map times each row's strength; None = 1 everywhere.

    Args:
        original: As for `weight_map`.
        safe: As for `weight_map`.
        local: How to make the map; None = 1 everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a row, B; None = 1 for all.
    """
    where = None if local is None else weight_map(original, safe, local)
    if strengths is None:
        return where
    each = torch.tensor(strengths, dtype=original.dtype, device=original.device)
    each = each.reshape(-1, *[1] * (original.ndim - 1))  # (B, 1, ...)
    return each if where is None else where * each


def _box_filter(values: Tensor, side: int) -> Tensor:
    """Average over `side` x `side` cells of (B, ..., H, W); at the border over those that are there."""
    planes = values.reshape(len(values), -1, *values.shape[-2:])
    return avg_pool2d(planes, side, stride=1, padding=side // 2, count_include_pad=False).reshape(values.shape)
