"""Picture and text vectors of a named CLIP backbone, from a folder or the hub; no weights come with the package."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import normalize

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.accelerator import accelerator

FILES = (".json", ".txt", ".safetensors", ".bin")
"""Of a model's folder: what it is loaded from."""


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

        return self._load(CLIPImageProcessor), self._load(CLIPVisionModelWithProjection).eval().to(accelerator())

    @cached_property
    def _text(self) -> tuple[Any, Any]:
        from transformers import AutoTokenizer, CLIPTextModelWithProjection

        return self._load(AutoTokenizer), self._load(CLIPTextModelWithProjection).eval().to(accelerator())

    @cached_property
    def identity(self) -> dict[str, str]:
        """What tells two backbones apart: name, and SHA-256 of a folder's files or the commit of a hub's model.

        Raises:
            InvalidInput: There is no such model.
        """
        folder = Path(self.model)
        if not folder.is_dir():
            return {"clip": self.model, "commit": self._commit()}
        files = sorted(path for path in folder.iterdir() if path.suffix in FILES)
        if not files:
            raise InvalidInput("clip", self.model, "the folder or hub name of a CLIP model")
        digest = hashlib.sha256()
        for path in files:
            with path.open("rb") as file:
                digest.update(f"\n{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
        return {"clip": folder.resolve().name, "sha256": digest.hexdigest()}

    def _commit(self) -> str:
        from transformers.utils.hub import cached_file, extract_commit_hash

        try:
            path = cached_file(self.model, "config.json")
        except (OSError, ValueError) as error:
            raise InvalidInput("clip", self.model, "the folder or hub name of a CLIP model") from error
        return str(extract_commit_hash(path, None))

    def _load(self, part: Any) -> Any:
        # Of the hub the commit that the verdicts are recorded under, whatever the branch is by now.
        pinned = {} if Path(self.model).is_dir() else {"revision": self.identity["commit"]}
        try:
            return part.from_pretrained(self.model, **pinned)
        except (OSError, ValueError) as error:
            raise InvalidInput("clip", self.model, "the folder or hub name of a CLIP model") from error

    @torch.no_grad()
    def pictures(self, pictures: Sequence[Image]) -> Tensor:
        """Unit vectors (B, D) of pictures, on the CPU."""
        processor, model = self._vision
        pixels = processor(images=[picture.convert("RGB") for picture in pictures], return_tensors="pt").pixel_values
        vectors = model(pixel_values=pixels.to(accelerator())).image_embeds
        return normalize(vectors.float().cpu(), dim=-1)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (B, D) of texts, each cut at the model's limit; on the CPU."""
        tokenizer, model = self._text
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        vectors = model(**tokens.to(accelerator())).text_embeds
        return normalize(vectors.float().cpu(), dim=-1)
