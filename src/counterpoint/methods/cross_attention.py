"""The weights of a UNet through which the text enters, and the token embeddings that stand for a concept there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.methods.edited import Weights
from counterpoint.text_space import StableDiffusionText


def keys_and_values(unet: Any) -> Weights:
    """Return the weights (out, D) of every cross-attention's K and V projection, by name.

    Raises:
        InvalidInput: There are none, or they do not read the same width.
    """
    found = {
        f"{name}.weight": module.weight.detach()
        for name, module in unet.named_modules()
        if name.endswith(("attn2.to_k", "attn2.to_v"))
    }
    if not found or len({weight.shape[1] for weight in found.values()}) > 1:
        raise InvalidInput("pipe", type(unet).__name__, "a UNet whose cross-attentions all read the text encoder")
    return found


def last_word_embeds(pipe: Any, texts: Sequence[str]) -> Tensor:
    """Return the embedding of each text's last word token, (B, D), float64; of the empty text its first token."""
    embeds, mask = StableDiffusionText(pipe).encode(texts)
    places = torch.arange(mask.shape[1], device=mask.device) * mask  # 0 where no word is
    return embeds[torch.arange(len(texts)), places.amax(1)].double()
