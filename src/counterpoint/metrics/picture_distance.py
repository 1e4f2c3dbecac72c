"""How far a method's picture lies from the plain model's picture of the same prompt and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL.Image import Image

TOLERANCE = 2
"""Levels of 255 that rounding in another batch may move a pixel."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Two pictures compared."""

    rmse: float
    """Root of the mean squared difference of the pixels, 0..1; 0 = the same picture."""
    is_changed: bool
    """Whether any value differs by more than `TOLERANCE` levels of 255."""


def picture_distance(picture: Image, plain: Image) -> Distance:
    """Compare two pictures of one size.

    Raises:
        ValueError: They differ in size.
    """
    first, second = (np.asarray(one.convert("RGB"), dtype=np.float64) for one in (picture, plain))
    if first.shape != second.shape:
        raise ValueError(f"pictures of {first.shape} and {second.shape} cannot be compared")
    gap = np.abs(first - second)
    return Distance(rmse=float(np.sqrt(np.mean((gap / 255.0) ** 2))), is_changed=bool(gap.max() > TOLERANCE))
