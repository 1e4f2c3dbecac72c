"""How much of the plain picture stays outside the object that a method is to change.

The object is where the judge says it is in the *plain* picture, so that all settings are compared on the
same pixels: a quarter of each picture, which holds a scene's object (a sixth) and its border. A second
figure needs no judge: the three quarters of the picture that the method itself changed least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from counterpoint.bench.drawing import Drawn
from counterpoint.recognisers import NO_OBJECT, Reading, Recogniser

OBJECT_AREA = 0.25
"""Part of the picture that counts as the object, 0..1."""
SMOOTH = 9
"""Side of the box filter on differences, in pixels: one stray pixel is no changed region."""


@dataclass(frozen=True, kw_only=True)
class KeptPixels:
    """Mean absolute difference to the plain picture, 0..1; 0 = nothing changed."""

    outside_object: float
    """Outside the judge's quarter."""
    least_changed: float
    """Over the three quarters that changed least."""


def object_masks(judge: Recogniser, drawn: Sequence[Drawn], readings: Sequence[Reading | None]) -> list[Tensor | None]:
    """Return where each picture shows its object, (H, W) bool; None where there is no picture or no object in it."""
    masks: list[Tensor | None] = []
    for one, reading in zip(drawn, readings, strict=True):
        if one.pixels is None or reading is None or reading.object == NO_OBJECT:
            masks.append(None)
        else:
            masks.append(largest(judge.localise(one.pixels[None], "object")[0], OBJECT_AREA))
    return masks


def largest(values: Tensor, area: float) -> Tensor:
    """Return the places (H, W) of the largest values, bool: the part `area` of them, 0..1."""
    count = math.ceil(area * values.numel())
    mask = torch.zeros(values.numel(), dtype=torch.bool)
    mask[values.flatten().topk(count).indices.cpu()] = True
    return mask.reshape(values.shape)


def kept_pixels(picture: Tensor, plain: Tensor, mask: Tensor) -> KeptPixels:
    """Compare two pictures, RGB in [0, 1], (3, H, W), outside a mask (H, W) of the object."""
    difference = (picture - plain).abs().mean(0)  # (H, W)
    smooth = avg_pool2d(difference[None, None], SMOOTH, stride=1, padding=SMOOTH // 2, count_include_pad=False)[0, 0]
    changed = largest(smooth, OBJECT_AREA)
    return KeptPixels(outside_object=float(difference[~mask].mean()), least_changed=float(difference[~changed].mean()))
