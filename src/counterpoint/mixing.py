"""The method: two latent streams, one picture (arXiv:2411.13982; the equation is our reading of it).

    f_i <  tau :   z_{i+1} = step(z_i, eps(z_i, c))                  global context
    f_i >= tau :   z_{i+1} = (1 - w_i) step(z_i, eps(z_i, c)) + w_i step(z_i, eps(z_i, s))

c is the prompt's embedding, s the safe one, f_i = i / N the fraction of the schedule at step i.
w = 0 is the plain pipeline; w = 1 with tau = 0 is the plain pipeline on the safe embedding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput

Ramp = Literal["constant", "linear", "cosine"]


def mix(latents: Tensor, safe_latents: Tensor, weight: float, weight_map: Tensor | None = None) -> Tensor:
    """Move the prompt's latents towards the safe ones: (1 - w m) z + w m s.

    Args:
        latents: Original stream z after the scheduler's step, (B, C, H, W) or packed (B, L, C).
        safe_latents: Safe stream s at the same timestep, from the same noise, same shape.
        weight: w, 0..1; 0 returns `latents` and 1 returns `safe_latents`, bit for bit.
        weight_map: m, values 0..1, of the dtype of `latents` and a shape that goes with it; None = 1 everywhere.

    Returns:
        Mixed latents, shape and dtype of `latents`.

    Raises:
        InvalidInput: The streams differ in shape, or the weight lies outside 0..1.
    """
    if latents.shape != safe_latents.shape:
        raise InvalidInput("safe_latents", tuple(safe_latents.shape), f"{tuple(latents.shape)}")
    if not 0.0 <= weight <= 1.0:
        raise InvalidInput("weight", weight, "0..1")
    # lerp is exact at both ends
    return torch.lerp(latents, safe_latents, weight if weight_map is None else weight * weight_map)


@dataclass(frozen=True, kw_only=True)
class MixingSchedule:
    """When and how strongly the streams are mixed.

    Raises:
        InvalidInput: A field lies outside its range.
    """

    weight: float
    """Weight w at the end of the schedule, 0..1; 0 = the plain pipeline."""
    tau: float = 0.0
    """Fraction of the steps that only the original stream runs (tau_gc), 0..1; 0, or less than one step = mix
    from the first step, 1 = never mix."""
    ramp: Ramp = "constant"
    """How w grows from tau to the end: at once, linearly, or along half a cosine wave."""

    def __post_init__(self) -> None:
        for name, value in (("weight", self.weight), ("tau", self.tau)):
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise InvalidInput(name, value, "0..1")
        if self.ramp not in ("constant", "linear", "cosine"):
            raise InvalidInput("ramp", self.ramp, "constant, linear or cosine")

    def weight_at(self, step: int, num_steps: int) -> float:
        """Weight w_i of step i = `step` (from 0) of N = `num_steps`; 0 before tau and past the end.

        Few-step calls are steered, too: a context of less than one whole step has none, as the first of two steps
        decides nearly all of the picture; and the last step is mixed at any tau below 1. A ramp reaches `weight`
        at the last step, so that the end of the dial is the same for all.
        """
        context = self.tau * num_steps
        first = 0 if context < 1.0 else min(math.ceil(context - 1e-9), num_steps - 1)
        if not first <= step < num_steps or self.tau >= 1.0:
            return 0.0
        progress = (step - first + 1) / (num_steps - first)  # (0, 1]
        match self.ramp:
            case "linear":
                return self.weight * progress
            case "cosine":
                return self.weight * (1.0 - math.cos(math.pi * progress)) / 2.0
            case _:
                return self.weight
