"""The prompt's own embedding with its part in the unsafe concepts' subspace taken out.

    s_l = c_l - strength * V V^T (c_l - m)        per token: each loses its own part
    s_l = c_l - strength * V V^T (p - m)          pooled: all lose that of their mean p, and keep their differences

for each token l that carries the prompt's words. V (D, r) is an orthonormal basis of the concepts' centred embeddings,
m their benign mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from counterpoint.interfaces import Detection, InvalidInput, SafeText, TextSpace

NEUTRAL = ("a thing", "an object", "something", "a person", "a place", "an animal", "a picture", "the sky")


def concept_basis(embeds: Tensor, mean: Tensor, rank: int) -> Tensor:
    """Return the leading `rank` right singular vectors of `embeds - mean`: (K, D), (D,) -> (D, r)."""
    _, _, rows = torch.linalg.svd((embeds - mean).float(), full_matrices=False)
    basis: Tensor = rows[:rank].T
    return basis


def project_off(embeds: Tensor, basis: Tensor, mean: Tensor, strength: float, *, pooled: bool = False) -> Tensor:
    """Take the part in the subspace out, (L, D) -> (L, D); strength 0 = identity.

    c - strength * V V^T (x - m), where x is c itself, or the mean of all L where it is pooled.
    """
    points = embeds.mean(0, keepdim=True) if pooled else embeds
    return embeds - strength * (((points - mean).float() @ basis) @ basis.T).to(embeds)


@dataclass(frozen=True, kw_only=True)
class _Subspace:
    basis: Tensor  # (D, r)
    mean: Tensor  # (D,)


class Projection:
    """Project a prompt's token embeddings off the subspace of unsafe words.

    Args:
        text: Text space of the guarded pipeline.
        concepts: Unsafe words.
        rank: Dimensions to remove, 1 .. number of concepts.
        strength: 0 = no change, 1 = the whole part in the subspace is removed.
        pooled: True takes the part of the words' mean from every token; False takes from each its own.

    Raises:
        InvalidInput: `rank` or `strength` lies outside its range.
    """

    def __init__(
        self,
        text: TextSpace,
        concepts: Sequence[str],
        *,
        rank: int = 16,
        strength: float = 1.0,
        pooled: bool = False,
    ) -> None:
        if not 1 <= rank <= len(concepts):
            raise InvalidInput("rank", rank, f"1..{len(concepts)}, the number of concepts")
        if not 0.0 <= strength <= 1.0:
            raise InvalidInput("strength", strength, "0..1")
        self.text, self.strength, self.pooled = text, strength, pooled
        mean = self._mean_tokens(NEUTRAL).mean(0)
        self._subspace = _Subspace(basis=concept_basis(self._mean_tokens(concepts), mean, rank), mean=mean)

    def _mean_tokens(self, texts: Sequence[str]) -> Tensor:
        embeds, mask = self.text.encode(texts)
        weights = mask.to(embeds)[..., None]
        return (embeds * weights).sum(1) / weights.sum(1).clamp_min(1)  # (B, D)

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the projected token embeddings, (1, L, D); padding and special tokens are kept."""
        (embeds,), (words,) = self.text.encode([prompt])  # (L, D), (L,)
        safe = embeds.clone()
        safe[words] = project_off(
            embeds[words], self._subspace.basis, self._subspace.mean, self.strength, pooled=self.pooled
        )
        return SafeText(prompt_embeds=safe[None])
