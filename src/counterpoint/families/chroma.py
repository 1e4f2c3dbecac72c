"""Chroma: T5 alone, with a mask; also with a start picture."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Chroma",
    pipelines=("ChromaPipeline", "ChromaImg2ImgPipeline"),
)
