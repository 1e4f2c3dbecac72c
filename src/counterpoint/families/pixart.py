"""PixArt-alpha and PixArt-sigma: T5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="PixArt",
    pipelines=("PixArtAlphaPipeline", "PixArtSigmaPipeline", "PixArtSigmaPAGPipeline"),
    note="these pipelines have no callback_on_step_end",
)
