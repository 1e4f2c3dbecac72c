"""CogView3-Plus: T5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="CogView3-Plus",
    pipelines=("CogView3PlusPipeline",),
)
