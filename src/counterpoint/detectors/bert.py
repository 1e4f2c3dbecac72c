"""BERT as a few products of matrices: what `BertModel` of transformers gives, sooner for one short text.

One prompt is so little work that a general implementation spends a third of its time around it. Query,
key and value are one product here, and a layer is ten calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


@dataclass(frozen=True)
class Layer:
    """One layer's parts, taken from transformers' `BertLayer`."""

    qkv: tuple[Tensor, Tensor]
    """Weight (3 D, D) and bias (3 D,)."""
    mixed: nn.Linear
    after_attention: nn.LayerNorm
    wide: nn.Linear
    activation: Any
    narrow: nn.Linear
    after_all: nn.LayerNorm

    @classmethod
    def of(cls, layer: Any) -> Layer:
        """Take the parts of a `BertLayer`."""
        own = layer.attention.self
        maps = (own.query, own.key, own.value)
        return cls(
            qkv=(torch.cat([part.weight for part in maps]), torch.cat([part.bias for part in maps])),
            mixed=layer.attention.output.dense,
            after_attention=layer.attention.output.LayerNorm,
            wide=layer.intermediate.dense,
            activation=layer.intermediate.intermediate_act_fn,
            narrow=layer.output.dense,
            after_all=layer.output.LayerNorm,
        )

    def __call__(self, hidden: Tensor, mask: Tensor | None, heads: int) -> Tensor:
        """Return (B, L, D); `mask` (B, 1, 1, L) says which tokens are read, None that all are."""
        batch, length, width = hidden.shape
        qkv = linear(hidden, *self.qkv).view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], attn_mask=mask)
        hidden = self.after_attention(hidden + self.mixed(attended.transpose(1, 2).reshape(hidden.shape)))
        result: Tensor = self.after_all(hidden + self.narrow(self.activation(self.wide(hidden))))
        return result


class Bert:
    """An encoder that reads and is never trained.

    Args:
        model: A `BertModel`; its weights are used as they are, changes of it afterwards may or may not show.
    """

    def __init__(self, model: Any) -> None:
        self.width = int(model.config.hidden_size)
        self.heads = int(model.config.num_attention_heads)
        self.embeddings = model.embeddings
        self.layers = [Layer.of(layer) for layer in model.encoder.layer]

    @torch.no_grad()
    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the last hidden state (B, L, D) of token ids (B, L); `mask` (B, L) is True where they are read."""
        hidden: Tensor = self.embeddings(input_ids=ids)
        read = None if bool(mask.all()) else mask[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, read, self.heads)
        return hidden
