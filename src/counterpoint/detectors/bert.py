"""BERT as a few products of matrices: what `BertModel` of transformers gives, sooner for a few short texts.

One prompt is so little work that a general implementation spends a third of its time around it, and half
of the rest on laying the weights in order for each product. Here query, key and value are one product,
weights are laid in order once, and texts stand end to end in one row: no token is read for padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm, linear, scaled_dot_product_attention

MOST_TOKENS = 256
"""Tokens that are read at once: more gain nothing, and attention grows with their square."""
IS_LAID_IN_ORDER: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
"""Whether torch was built with oneDNN, as for x86; else products are the usual ones."""
ATTENTION_PARTS = ("query", "key", "value")


class Linear:
    """A linear map of rows on the CPU, its weights (O, I) laid in the order in which oneDNN multiplies.

    The operators are those that torch's own compiler puts in place of a linear map; they have no public name.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.bias = bias.detach()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach()) if IS_LAID_IN_ORDER else weight.detach()

    def __call__(self, rows: Tensor) -> Tensor:
        """Return (T, O) for rows (T, I)."""
        if IS_LAID_IN_ORDER:
            result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")
            return result
        return linear(rows, self.weight, self.bias)


class Norm:
    """A layer norm; its numbers stay where they are when the module that they are taken from moves."""

    def __init__(self, module: nn.LayerNorm) -> None:
        self.weight, self.bias, self.eps = module.weight.detach(), module.bias.detach(), module.eps

    def __call__(self, rows: Tensor) -> Tensor:
        """Return (T, D) for rows (T, D)."""
        return layer_norm(rows, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Layer:
    """One layer's parts, taken from transformers' `BertLayer`."""

    qkv: Linear
    mixed: Linear
    after_attention: Norm
    wide: Linear
    activation: Any
    narrow: Linear
    after_all: Norm

    @classmethod
    def of(cls, layer: Any) -> Layer:
        """Take the parts of a `BertLayer`."""
        maps = [getattr(layer.attention.self, name) for name in ATTENTION_PARTS]
        return cls(
            qkv=Linear(torch.cat([part.weight for part in maps]), torch.cat([part.bias for part in maps])),
            mixed=Linear(layer.attention.output.dense.weight, layer.attention.output.dense.bias),
            after_attention=Norm(layer.attention.output.LayerNorm),
            wide=Linear(layer.intermediate.dense.weight, layer.intermediate.dense.bias),
            activation=layer.intermediate.intermediate_act_fn,
            narrow=Linear(layer.output.dense.weight, layer.output.dense.bias),
            after_all=Norm(layer.output.LayerNorm),
        )

    def __call__(self, hidden: Tensor, apart: Tensor | None, heads: int) -> Tensor:
        """Return (T, D); `apart` (T, T) is -inf where a token does not see another, None where all see all."""
        tokens, width = hidden.shape
        query, key, value = self.qkv(hidden).view(tokens, 3, heads, width // heads).permute(1, 2, 0, 3)[:, None]
        attended = scaled_dot_product_attention(query, key, value, attn_mask=apart)  # (1, heads, T, D / heads)
        hidden = self.after_attention(hidden + self.mixed(attended[0].transpose(0, 1).reshape(tokens, width)))
        return self.after_all(hidden + self.narrow(self.activation(self.wide(hidden))))


class Bert:
    """An encoder on the CPU that reads and is never trained.

    Args:
        model: A `BertModel` in float32 on the CPU. It may move afterwards; changes of its weights do not
            show, or not all of them.
    """

    def __init__(self, model: Any) -> None:
        self.width = int(model.config.hidden_size)
        self.heads = int(model.config.num_attention_heads)
        parts = model.embeddings
        self.words = parts.word_embeddings.weight.detach()  # (V, D)
        self.places = parts.position_embeddings.weight.detach() + parts.token_type_embeddings.weight.detach()[0]
        self.first = Norm(parts.LayerNorm)
        self.layers = [Layer.of(layer) for layer in model.encoder.layer]

    @torch.no_grad()
    def __call__(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return the last hidden state (L, D) of each text, given as its L token ids, special ones included."""
        return [state for some in packs(texts) for state in self._read(some)]

    def _read(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
        lengths = [len(text) for text in texts]
        ids = torch.tensor([token for text in texts for token in text])  # (T,)
        places = torch.cat([self.places[:length] for length in lengths])
        hidden = self.first(embedding(ids, self.words) + places)
        apart = _apart(lengths) if len(texts) > 1 else None
        for layer in self.layers:
            hidden = layer(hidden, apart, self.heads)
        return torch.split(hidden, lengths)


def packs(texts: Sequence[Sequence[int]], most: int = MOST_TOKENS) -> Iterator[list[Sequence[int]]]:
    """Yield the texts in order, as many at a time as have `most` tokens together, and at least one."""
    pack: list[Sequence[int]] = []
    room = most
    for text in texts:
        if pack and len(text) > room:
            yield pack
            pack, room = [], most
        pack.append(text)
        room -= len(text)
    if pack:
        yield pack


def _apart(lengths: Sequence[int]) -> Tensor:
    """Return (T, T): 0 within a text, -inf between texts."""
    number = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    return torch.zeros(len(number), len(number)).masked_fill(number[:, None] != number, -torch.inf)
