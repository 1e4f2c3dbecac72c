"""Lumina-Next: the language model Gemma."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Lumina-Next",
    pipelines=("LuminaPipeline",),
    note="the empty text is padded to the prompt's length, so that an engaged step takes four rows, not three",
)
