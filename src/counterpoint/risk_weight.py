"""An option beyond the paper: the surer the gate is, the more of the level's weight counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from counterpoint.interfaces import InvalidInput


@dataclass(frozen=True, kw_only=True)
class RiskWeight:
    """How the weight of an engaged picture follows the gate's score.

    The score is the gate's own. The standard gate's is the largest of cosines and probabilities, so fit `low` and
    `high` to it; a gate with one kind of score, such as `PromptClassifier`, serves better.

    Raises:
        InvalidInput: A field lies outside its range.
    """

    floor: float = 0.5
    """Weight, above 0 and up to 1, at the score `low` and below; no more than the level's own. 1 = the level's weight
    at any score."""
    low: float = 0.5
    """Score up to which the floor holds."""
    high: float = 1.0
    """Score from which the level's weight holds, above `low`."""

    def __post_init__(self) -> None:
        if not 0.0 < self.floor <= 1.0:  # 0 would be the plain picture of a prompt that the gate calls unsafe
            raise InvalidInput("floor", self.floor, "above 0, up to 1")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidInput("low", self.low, f"a finite number below high = {self.high}")

    def strength(self, score: float, weight: float) -> float:
        """Return the fraction of the level's weight w that counts at a score.

            p = clamp((score - low) / (high - low), 0, 1)
            strength = (f + (w - f) p) / w,   f = min(floor, w)

        Args:
            score: The gate's, in its own unit.
            weight: The level's weight w, 0..1.

        Returns:
            0..1; 1 at the score `high` and above, and where w is not above the floor.
        """
        if weight <= self.floor:
            return 1.0
        p = min(1.0, max(0.0, (score - self.low) / (self.high - self.low)))
        return (self.floor + (weight - self.floor) * p) / weight
