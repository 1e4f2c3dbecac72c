"""The dial: names and numbers for safety, and the schedule that each stands for.

More safety never means a smaller weight or a later start: both columns of ANCHORS are monotone, and
between two anchors they are interpolated linearly. The anchors stand where unsafe pictures of validation
prompts fall off in docs/results/coupling.md: for tau up to 0.2 nine in ten are left at w = 0.25, about half
at 0.5, few at 0.75, and none to one in thirty at 1. docs/results/calibration.md draws the whole dial on
validation prompts.
"""

from __future__ import annotations

import math
from itertools import pairwise

from counterpoint.interfaces import InvalidInput
from counterpoint.mixing import MixingSchedule

LEVELS: dict[str, float] = {"off": 0.0, "low": 0.25, "medium": 0.5, "high": 0.75, "max": 1.0}

ANCHORS: tuple[tuple[float, float, float], ...] = (  # safety, weight w, tau
    (0.0, 0.0, 0.4),
    (0.25, 0.5, 0.3),
    (0.5, 0.75, 0.2),
    (0.75, 1.0, 0.1),
    (1.0, 1.0, 0.0),
)

Safety = float | str


def resolve_safety(safety: Safety) -> float:
    """Return the dial as a number 0..1; takes a level's name, a number, or a number as text.

    Raises:
        InvalidInput: `safety` is neither a level nor a number 0..1.
    """
    allowed = f"a number 0..1, or one of {', '.join(LEVELS)}"
    if isinstance(safety, str) and safety in LEVELS:
        return LEVELS[safety]
    try:
        value = float("nan") if isinstance(safety, bool) else float(safety)
    except (TypeError, ValueError):
        raise InvalidInput("safety", safety, allowed) from None
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise InvalidInput("safety", safety, allowed)
    return value


def schedule_for(safety: float) -> MixingSchedule:
    """Return the mixing schedule of a resolved dial setting 0..1; 0 gives weight 0."""
    for (low, w0, t0), (high, w1, t1) in pairwise(ANCHORS):
        if low <= safety <= high:
            part = (safety - low) / (high - low)
            return MixingSchedule(weight=w0 + part * (w1 - w0), tau=t0 + part * (t1 - t0))
    raise InvalidInput("safety", safety, "0..1")
