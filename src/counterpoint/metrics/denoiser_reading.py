"""What a denoiser reads of a prompt: the words' embeddings through the key and value maps of every cross-attention.

Editing either the text encoder or these maps changes it; a method that edits nothing does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.text_space import StableDiffusionText

MAPS = ("attn2.to_k", "attn2.to_v")
"""Cross-attention's maps in a UNet of diffusers."""
BATCH = 64


def can_be_read(pipe: Any) -> bool:
    """Whether a pipeline has one text encoder and a UNet with cross-attention."""
    parts = all(getattr(pipe, name, None) is not None for name in ("tokenizer", "text_encoder", "unet"))
    return parts and getattr(pipe, "text_encoder_2", None) is None and bool(_maps(pipe.unet))


@torch.no_grad()
def readings(pipe: Any, prompts: Sequence[str]) -> list[Tensor]:
    """Return one reading (N, D) for each map: the mean over the words of each prompt.

    Args:
        pipe: A pipeline of which `can_be_read` is true; it is read, never changed.
        prompts: N texts.
    """
    text = StableDiffusionText(pipe)
    pooled = []
    for start in range(0, len(prompts), BATCH):
        embeds, mask = text.encode(prompts[start : start + BATCH])
        weights = mask.to(embeds)[..., None]
        pooled.append((embeds * weights).sum(1) / weights.sum(1).clamp_min(1))  # the maps are linear: pool first
    words = torch.cat(pooled)
    return [layer(words.to(layer.weight)).float().cpu() for layer in _maps(pipe.unet)]


def _maps(unet: Any) -> list[Any]:
    return [module for name, module in unet.named_modules() if name.endswith(MAPS)]
