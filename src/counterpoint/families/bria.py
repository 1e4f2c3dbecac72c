"""Bria 3: T5 alone."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Bria",
    pipelines=("BriaPipeline",),
)
