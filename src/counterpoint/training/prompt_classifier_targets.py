"""What the prompt classifier is to say of its training prompts, and how far off it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from counterpoint.detectors.prompt_classifier import CATEGORIES
from counterpoint.training.prompt_classifier_sets import Example

UNKNOWN = -1.0
"""Target of a category of which a set does not say whether the prompt belongs to it."""


def targets(rows: Sequence[Example]) -> Tensor:
    """Return (B, outputs): 0..1 or `UNKNOWN`; overall first."""
    return torch.tensor([_target(row) for row in rows])


def _target(row: Example) -> list[float]:
    harm = float(row.is_unsafe) if row.harm is None else row.harm
    is_known = not row.is_unsafe or row.category is not None
    return [harm, *(harm * (row.category == category) if is_known else UNKNOWN for category in CATEGORIES)]


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross entropy of the known targets; the overall output counts as much as all categories."""
    losses = binary_cross_entropy_with_logits(logits, target.clamp_min(0), reduction="none") * (target != UNKNOWN)
    return losses[:, 0].mean() + losses[:, 1:].mean()
