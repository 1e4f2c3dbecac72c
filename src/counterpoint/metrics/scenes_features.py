"""Features of the scenes world: what its judge sees before it names subject, object and background."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from counterpoint.embedded import recogniser_path
from counterpoint.metrics.scenes_judge import as_pixels
from counterpoint.recognisers import Recogniser


class ScenesFeatures:
    """The judge's penultimate layer: mean and maximum of its last features over all places, normalised.

    The judge knows composed pictures of the scenes world only; on other pictures these features mean little.

    Args:
        folder: A trained recogniser; None takes the package's judge.

    Raises:
        InvalidInput: The package holds no judge.
    """

    name = "scenes judge features"

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = recogniser_path("judge") if folder is None else Path(folder)
        self.recogniser = Recogniser.from_pretrained(self.folder)
        self.sha256 = hashlib.sha256((self.folder / "model.safetensors").read_bytes()).hexdigest()

    def recipe(self) -> dict[str, Any]:
        """Return the weights' hash and the layer."""
        return {"features": "scenes", "weights_sha256": self.sha256, "layer": "input of the heads"}

    @torch.no_grad()
    def __call__(self, pictures: Sequence[Image]) -> Tensor:
        """Return the features (B, 2 W), W channels of the last layer."""
        seen: list[Tensor] = []
        head = self.recogniser.heads["object"]
        handle = head.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
        try:
            self.recogniser(as_pixels(pictures))
        finally:
            handle.remove()
        return seen[0]

    @torch.no_grad()
    def layers(self, pictures: Sequence[Image]) -> list[Tensor]:
        """Return what the first convolution and each residual block answer, (B, C, H, W) each."""
        answers = []
        now = as_pixels(pictures) * 2 - 1  # as the recogniser scales them
        for part in self.recogniser.body:
            now = part(now)
            if not isinstance(part, torch.nn.Conv2d):  # the first convolution counts after its ReLU
                answers.append(now)
        return answers
