"""Fit the letters' view of the prompt classifier: a logistic regression on hashed words and parts of words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from counterpoint.detectors.letters import buckets
from counterpoint.detectors.prompt_classifier import OUTPUTS
from counterpoint.training.prompt_classifier_targets import UNKNOWN

NUM_BUCKETS = 1 << 16


def letters_matrix(texts: Sequence[str], size: int = NUM_BUCKETS) -> Tensor:
    """Return the weights of the buckets of each text, sparse (B, size)."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for place, text in enumerate(texts):
        indices, weights = buckets(text, size)
        rows += [place] * len(indices)
        columns += indices
        values += weights
    return torch.sparse_coo_tensor(
        torch.tensor([rows, columns]), torch.tensor(values), (len(texts), size), check_invariants=False
    ).coalesce()


def fit_letters(features: Tensor, target: Tensor, *, strength: float = 4.0, steps: int = 60) -> Tensor:
    """Return the table (buckets, outputs) of a logistic regression; its bias is left to the join.

    It minimises ||table||^2 / (2 strength) + the sum of the cross entropies, by L-BFGS.
    """
    table = torch.zeros(features.shape[1], len(OUTPUTS), requires_grad=True)
    bias = torch.zeros(len(OUTPUTS), requires_grad=True)
    known = (target != UNKNOWN).float()
    optimiser = torch.optim.LBFGS([table, bias], max_iter=steps, history_size=8, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = torch.sparse.mm(features, table) + bias
        losses = binary_cross_entropy_with_logits(logits, target.clamp_min(0), reduction="none") * known
        loss: Tensor = (losses.sum() + table.square().sum() / (2 * strength)) / len(target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return table.detach()
