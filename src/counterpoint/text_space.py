"""A pipeline's own text encoder as detectors and safe embeddings see it.

This is the seam for further model families: one class per way of encoding text. Here: pipelines
with one tokenizer and one text encoder (Stable Diffusion 1.x and 2.x, the embedded model).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput

BATCH_SIZE = 256


class StableDiffusionText:
    """Text space of a pipeline with `tokenizer`, `text_encoder` and `encode_prompt`.

    Args:
        pipe: The pipeline; it is read, never changed.

    Raises:
        InvalidInput: The pipeline has no such parts, so its family is not supported.
    """

    def __init__(self, pipe: Any) -> None:
        needed = ("tokenizer", "text_encoder", "encode_prompt")
        missing = [name for name in needed if getattr(pipe, name, None) is None]
        if missing or getattr(pipe, "text_encoder_2", None) is not None:
            raise InvalidInput(
                "pipe", type(pipe).__name__, "a pipeline with one tokenizer and one text encoder, as SD 1.x and 2.x"
            )
        self.pipe = pipe

    @property
    def fingerprint(self) -> str:
        """Class, width and number of parameters of the encoder: what a threshold was fitted for."""
        encoder = self.pipe.text_encoder
        count = sum(parameter.numel() for parameter in encoder.parameters())
        return f"{type(encoder).__name__}-{encoder.config.hidden_size}-{count}"

    @property
    def max_tokens(self) -> int:
        """Tokens that the encoder reads, special ones included."""
        return int(self.pipe.tokenizer.model_max_length)

    def count_tokens(self, text: str) -> int:
        """Number of tokens of `text`, special ones included."""
        return len(self.pipe.tokenizer(text).input_ids)

    def check_length(self, field: str, text: str) -> None:
        """Raise InvalidInput where the encoder would cut `text` off, so that the gate saw more."""
        count = self.count_tokens(text)
        if count > self.max_tokens:
            raise InvalidInput(field, f"{count} tokens", f"at most {self.max_tokens} tokens, the encoder's limit")

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode as the pipeline does: token embeddings (B, L, D), mask of the words' tokens (B, L)."""
        embeds, _ = self.pipe.encode_prompt(
            prompt=list(texts), device=self.pipe._execution_device, num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )  # fmt: skip
        tokens = self._tokenize(texts, padding="max_length")
        return embeds, self._word_mask(tokens).to(embeds.device)

    @torch.no_grad()
    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (B, D) on the CPU: mean over the words' tokens of each text read alone."""
        encoder, parts = self.pipe.text_encoder, []
        for start in range(0, len(texts), BATCH_SIZE):
            tokens = self._tokenize(texts[start : start + BATCH_SIZE], padding="longest").to(encoder.device)
            hidden = encoder(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
            mask = self._word_mask(tokens).to(hidden.last_hidden_state)[..., None]  # (B, L, 1)
            mean = (hidden.last_hidden_state * mask).sum(1) / mask.sum(1).clamp_min(1)
            parts.append(torch.nn.functional.normalize(mean.float(), dim=-1).cpu())
        return torch.cat(parts)

    def _tokenize(self, texts: Sequence[str], padding: str) -> Any:
        return self.pipe.tokenizer(
            list(texts), padding=padding, max_length=self.max_tokens, truncation=True, return_tensors="pt",
            return_special_tokens_mask=True,
        )  # fmt: skip

    @staticmethod
    def _word_mask(tokens: Any) -> Tensor:
        mask: Tensor = tokens.attention_mask.bool() & ~tokens.special_tokens_mask.bool()
        return mask
