"""Features of a named CLIP backbone, for any model's pictures; no weights come with the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from counterpoint.metrics.clip_backbone import ClipBackbone


class ClipFeatures:
    """Unit vectors of pictures.

    Args:
        clip: Folder or hub name of the backbone.
    """

    def __init__(self, *, clip: str) -> None:
        self.backbone = ClipBackbone(clip)
        self.clip = Path(clip).name if Path(clip).exists() else clip

    @property
    def name(self) -> str:
        """Names the backbone: distances in two of them are not comparable."""
        return f"CLIP features ({self.clip})"

    def recipe(self) -> dict[str, Any]:
        """Return the backbone's identity and the layer."""
        return {"features": "clip", **self.backbone.identity, "layer": "projected picture vector, length 1"}

    def __call__(self, pictures: Sequence[Image]) -> Tensor:
        """Return the features (B, D)."""
        return self.backbone.pictures(pictures)
