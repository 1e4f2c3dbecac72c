"""Ovis-Image: the language model Qwen 3, with an instruction in front of the prompt."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Ovis-Image",
    pipelines=("OvisImagePipeline",),
)
