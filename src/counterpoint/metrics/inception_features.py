"""Inception's features, in which published FIDs are counted (Heusel et al. 2017); no weights come with the package.

The weights are the file of TensorFlow's 2015 graph as TorchScript, `inception-2015-12-05.pt`, which StyleGAN's and
clean-fid's authors publish. It scales pictures to 299 pixels itself, as the original does. Published FIDs compare with
photographs, these with the plain model's pictures: the space is the same, the reference is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.accelerator import accelerator

WIDTH = 2048


class InceptionFeatures:
    """The pooled layer before the logits, 2048 numbers.

    Args:
        weights: The TorchScript file. It is a program: take it from its publisher only.

    Raises:
        InvalidInput: The file is not there, or is none of TorchScript.
    """

    name = "Inception features"

    def __init__(self, *, weights: str) -> None:
        try:
            self.sha256 = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
            self.network = torch.jit.load(weights, map_location=accelerator()).eval()  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError) as error:
            raise InvalidInput("inception.weights", weights, "inception-2015-12-05.pt, a TorchScript file") from error

    def recipe(self) -> dict[str, Any]:
        """Return the weights' hash and the layer."""
        return {"features": "inception", "weights_sha256": self.sha256, "layer": "pooled, before the logits"}

    @torch.no_grad()
    def __call__(self, pictures: Sequence[Image]) -> Tensor:
        """Return the features (B, 2048) of pictures of any size.

        Raises:
            InvalidInput: The network gives other vectors.
        """
        features = torch.cat([self._of(picture) for picture in pictures])  # their sizes may differ
        if features.shape != (len(pictures), WIDTH):
            raise InvalidInput("inception.weights", tuple(features.shape), f"a network that gives {WIDTH} numbers")
        return features

    def _of(self, picture: Image) -> Tensor:
        values = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None]
        features: Tensor = self.network(values.to(accelerator()), return_features=True)
        return features.float().cpu()
