"""RECE (Gong et al., ECCV 2024, arXiv:2407.12383): UCE, then rounds against the embeddings that revive the concept.

After an edit W -> W' the embedding that answers most like the erased concept c did is, over all layers i,

    c' = argmin  sum_i ||W'_i c' - W_i c||^2 + lambda_a ||c'||^2
       = (lambda_a I + sum_i W'_i^T W'_i)^-1 (sum_i W'_i^T W_i) c                                     eq. 6-9

and c' is erased from W' as c was from W (`uce`), with the same kept concepts. Defaults are the published ones for
nudity: lambda and s_p 0.1, lambda_a 0.1, 3 rounds (2 for many unsafe concepts at once).
Cost: no rows more than plain; each round is two (D, D) solves, seconds in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from counterpoint.methods import uce
from counterpoint.methods.cross_attention import keys_and_values
from counterpoint.methods.edited import EditedModel, Weights, kept_in
from counterpoint.methods.method import Method
from counterpoint.methods.option_checks import check_count, check_number


@dataclass(frozen=True, kw_only=True)
class Options(uce.Options):
    """UCE's options, and the rounds."""

    rounds: int = 3
    """From 0; 0 = UCE with these scales."""
    preserve_scale: float = 0.1
    regularisation: float = 0.1
    adversarial_regularisation: float = 0.1
    """lambda_a, above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("rounds", self.rounds, 0)
        check_number("adversarial_regularisation", self.adversarial_regularisation, 1e-9)


def reviving_embeds(edited: Weights, original: Weights, concepts: Tensor, regularisation: float) -> Tensor:
    """Return c' (n, D) for each of the concepts (n, D): what the edited layers answer most as c was answered."""
    gram = regularisation * torch.eye(concepts.shape[1], dtype=torch.float64, device=concepts.device)
    cross = torch.zeros_like(gram)
    for name, weight in edited.items():
        gram = gram + weight.double().T @ weight.double()
        cross = cross + weight.double().T @ original[name].double()
    revived: Tensor = torch.linalg.solve(gram, cross @ concepts.T).T
    return revived


def erased(pipe: Any, options: Options) -> Weights:
    """Return the edited K and V weights."""
    original = keys_and_values(pipe.unet)
    concepts, guides, kept = uce.embeds_of(pipe, options)
    scales = {
        "erase_scale": options.erase_scale,
        "preserve_scale": options.preserve_scale,
        "regularisation": options.regularisation,
    }
    weights = uce.apply_edit(original, uce.edit_matrix(concepts, guides, kept, **scales))
    for _ in range(options.rounds):
        revived = reviving_embeds(weights, original, concepts, options.adversarial_regularisation)
        weights = uce.apply_edit(weights, uce.edit_matrix(revived, guides, kept, **scales))
    return weights


def build(pipe: Any, options: Options) -> Method:
    """Return the method around an edited copy of the UNet."""
    settings = uce.settings_of("rece", options)
    weights = kept_in(options.folder, pipe, settings, lambda: erased(pipe, options))
    return EditedModel(pipe, "unet", weights, settings)
