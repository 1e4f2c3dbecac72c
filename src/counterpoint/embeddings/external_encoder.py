"""The prompt read by another text encoder, one that was trained not to know harm (Safe-CLIP, arXiv:2311.16254).

The pipeline's own encoder stays in place: only the safe stream hears the other one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from counterpoint.interfaces import Detection, InvalidInput, SafeText


class ExternalEncoder:
    """Encode the safe stream's prompt with another encoder of the pipeline's own kind.

    Args:
        pipe: The guarded pipeline, with one `tokenizer` and one `text_encoder`; it is read, never changed.
        encoder: Text encoder that takes the pipeline's tokens and has its width.

    Raises:
        InvalidInput: The encoders differ in width or vocabulary.
    """

    def __init__(self, pipe: Any, encoder: Any) -> None:
        for name in ("hidden_size", "vocab_size"):
            own, other = getattr(pipe.text_encoder.config, name), getattr(encoder.config, name)
            if own != other:
                raise InvalidInput("encoder", f"{name} {other}", f"{name} {own}, the pipeline's own")
        self.pipe = pipe
        self.encoder = encoder.eval().requires_grad_(False)

    @classmethod
    def from_pretrained(cls, pipe: Any, folder: str | Path) -> ExternalEncoder:
        """Load the encoder with the class of the pipeline's own one.

        Args:
            pipe: The guarded pipeline.
            folder: Local folder or hub name, such as a Safe-CLIP checkpoint of the pipeline's CLIP size.

        Raises:
            InvalidInput: It cannot be loaded, or does not fit.
        """
        try:
            encoder = type(pipe.text_encoder).from_pretrained(folder)
        except (OSError, ValueError) as error:
            allowed = f"a checkpoint of {type(pipe.text_encoder).__name__}; loading failed: {error}"
            raise InvalidInput("folder", str(folder), allowed) from error
        return cls(pipe, encoder)

    @torch.no_grad()
    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the other encoder's token embeddings, (1, L, D)."""
        tokenizer, own = self.pipe.tokenizer, self.pipe.text_encoder
        tokens = tokenizer(
            [prompt], padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).to(own.device)
        masked = getattr(own.config, "use_attention_mask", False)  # what the pipeline itself asks
        encoder = self.encoder.to(own.device)
        hidden = encoder(tokens.input_ids, attention_mask=tokens.attention_mask if masked else None)[0]
        return SafeText(prompt_embeds=hidden.to(own.dtype))
