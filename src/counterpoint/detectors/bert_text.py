"""A pipeline's text space as `ConceptSimilarity` reads it, sooner where its encoder is a BERT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from counterpoint.detectors.bert import Bert
from counterpoint.detectors.concept_similarity import Pooling
from counterpoint.text_space import EncoderText

PROBE = ("a bowl of fruit", "lantern")
TOLERANCE = 1e-4
"""Largest difference of a component of a unit vector; rounding alone stays below a tenth of it."""


class BertText:
    """Pools as the text space does, with the encoder's weights of the time when this was made.

    Args:
        text: Text space of a `BertModel` in float32 on the CPU.
    """

    def __init__(self, text: EncoderText) -> None:
        self.text = text
        self.bert = Bert(text.encoder)

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Return unit vectors (B, D): mean over the words' tokens of each text read alone; 0 where it has none."""
        states = self.bert(self.text.token_ids(texts))
        return normalize(torch.stack([state[1:-1].sum(0) for state in states]), dim=-1)


def quick_text(text: EncoderText) -> Pooling:
    """Return a `BertText` where it pools as `text` does on two probes, else `text` itself."""
    if not _is_plain_bert(text.encoder):
        return text
    quick = BertText(text)
    # Adapters and hooks change what an encoder says, not what it is called.
    return quick if torch.allclose(quick.pooled(PROBE), text.pooled(PROBE), rtol=0.0, atol=TOLERANCE) else text


def _is_plain_bert(encoder: Any) -> bool:
    from transformers import BertModel

    kinds = {(parameter.dtype, parameter.device.type) for parameter in encoder.parameters()}
    return type(encoder) is BertModel and kinds == {(torch.float32, "cpu")}
