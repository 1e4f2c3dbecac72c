"""Chroma: T5 alone, with a mask."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Chroma",
    pipelines=("ChromaPipeline",),
)
