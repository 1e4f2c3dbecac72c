"""Picture and text vectors of a named CLIP backbone, from a folder or the hub; no weights come with the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import normalize

from counterpoint.interfaces import InvalidInput


class ClipBackbone:
    """A CLIP model of transformers; its parts are loaded when they are first asked for.

    Args:
        model: Folder or hub name; recorded with every figure, since backbones are not comparable.
    """

    def __init__(self, model: str) -> None:
        self.model = model

    @cached_property
    def _vision(self) -> tuple[Any, Any]:
        from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

        return self._load(CLIPImageProcessor), self._load(CLIPVisionModelWithProjection).eval()

    @cached_property
    def _text(self) -> tuple[Any, Any]:
        from transformers import AutoTokenizer, CLIPTextModelWithProjection

        return self._load(AutoTokenizer), self._load(CLIPTextModelWithProjection).eval()

    def _load(self, part: Any) -> Any:
        try:
            return part.from_pretrained(self.model)
        except (OSError, ValueError) as error:
            raise InvalidInput("clip", self.model, "the folder or hub name of a CLIP model") from error

    @torch.no_grad()
    def pictures(self, pictures: Sequence[Image]) -> Tensor:
        """Unit vectors (B, D) of pictures."""
        processor, model = self._vision
        pixels = processor(images=[picture.convert("RGB") for picture in pictures], return_tensors="pt").pixel_values
        return normalize(model(pixel_values=pixels).image_embeds.float(), dim=-1)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (B, D) of texts, each cut at the model's limit."""
        tokenizer, model = self._text
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        return normalize(model(**tokens).text_embeds.float(), dim=-1)
