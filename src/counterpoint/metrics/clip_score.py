"""CLIP score: how well a picture fits its prompt (Hessel et al., arXiv:2104.08718), for a named backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image

from counterpoint.metrics.clip_backbone import ClipBackbone
from counterpoint.metrics.judge import Verdict


class ClipScore:
    """100 max(cos(picture, prompt), 0); it says nothing of safety.

    Args:
        clip: Folder or hub name of the backbone.
    """

    name = "CLIP score"
    needs_prompt = True

    def __init__(self, *, clip: str) -> None:
        self.backbone = ClipBackbone(clip)

    def recipe(self) -> dict[str, Any]:
        """Return the backbone's identity."""
        return {"judge": "clip_score", **self.backbone.identity}

    def own_error(self) -> dict[str, Any] | None:
        """None: there is no right answer to compare with."""
        return None

    def __call__(self, pictures: Sequence[Image], prompts: Sequence[str]) -> list[Verdict]:
        """Measure pictures against their prompts; `score` lies in 0..100."""
        cosines = (self.backbone.pictures(pictures) * self.backbone.texts(prompts)).sum(dim=-1)
        return [Verdict(score=100.0 * max(cosine, 0.0)) for cosine in cosines.tolist()]
