"""What a denoiser answered, with the safe rows mixed in: of this call, or what an earlier step found out.

With reuse the safe rows run at every k-th mixed step j only; at the steps i between

    eps(z_i, s) ~ eps(z_i, c) + eps(z_j, s) - eps(z_j, c)

Both predictions stand side by side here, so here is seen, too, whether the denoiser hears the safe prompts at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from counterpoint.engines.conditioning import Match
from counterpoint.engines.local_weight import LocalWeight, combined_map
from counterpoint.engines.planning import Plan
from counterpoint.engines.prediction import first_rows, fitted, rows_of, with_rows
from counterpoint.mixing import mix

Call = tuple[Module, int]
"""A denoiser, and the number of its call among those of a step in which rows are mixed."""


class MixedRows:
    """Mix the rows of one drawing, step by step.

    Args:
        local: Where to mix; None = everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a picture, M; None = 1 for all.
    """

    def __init__(self, local: LocalWeight | None, strengths: Sequence[float] | None) -> None:
        self.local = local
        self.strengths = None if strengths is None or all(s == 1.0 for s in strengths) else list(strengths)
        self._differences: dict[Call, tuple[list[Match], list[Tensor]]] = {}
        """Which rows were mixed, and what the safe ones said more."""
        self._compared: set[int] = set()
        self._heard: set[int] = set()

    @property
    def is_even(self) -> bool:
        """Whether each place of each picture has the same weight."""
        return self.local is None and self.strengths is None

    @property
    def deaf(self) -> set[int]:
        """Pictures whose two predictions were the same at every step: a cache may serve both streams one answer."""
        return self._compared - self._heard

    def known(self, call: Call, found: list[Match]) -> Plan | None:
        """Return the plan in which an earlier step's difference serves; None where there is none of these rows."""
        known = self._differences.get(call)
        return Plan(found=found) if known is not None and known[0] == found else None

    def mix(self, output: Any, safe_output: Any, call: Call, plan: Plan, *, weight: float, keeps: bool) -> Any:
        """Return the denoiser's answer with the plan's rows mixed.

        Args:
            output: What the pipeline's own call answered.
            safe_output: What the safe rows' own call answered; `output` where they ran behind its rows.
            call: Which of the step's calls it is.
            plan: Which rows, and where the safe ones stand.
            weight: Of the safe rows, 0..1.
            keeps: Whether later steps may want the difference.
        """
        rows = [match.row for match in plan.found]
        original = rows_of(output, rows)
        if plan.places:
            safe = [fitted(b, a) for a, b in zip(original, rows_of(safe_output, plan.places), strict=True)]
            if keeps:
                self._differences[call] = plan.found, [b - a for a, b in zip(original, safe, strict=True)]
        else:
            safe = [a + fitted(kept, a) for a, kept in zip(original, self._differences[call][1], strict=True)]
        images = [match.image for match in plan.found]
        of_parts = [images] * len(original) if len(original[0]) == len(images) else [[i] for i in images]
        parts = [
            self._mixed_part(a, b, weight, images_of_part)
            for a, b, images_of_part in zip(original, safe, itertools.cycle(of_parts), strict=False)
        ]
        return with_rows(first_rows(output, plan.own_rows) if plan.own_rows else output, rows, parts)

    def _mixed_part(self, original: Tensor, safe: Tensor, weight: float, images: Sequence[int]) -> Tensor:
        self._compare(original, safe, images)
        strengths = None if self.strengths is None else [self.strengths[image] for image in images]
        return mix(original, safe, weight, combined_map(original, safe, self.local, strengths))

    def _compare(self, original: Tensor, safe: Tensor, images: Sequence[int]) -> None:
        self._compared.update(images)
        for image, a, b in zip(images, original, safe, strict=True):
            if image not in self._heard and not torch.equal(a, b):
                self._heard.add(image)
