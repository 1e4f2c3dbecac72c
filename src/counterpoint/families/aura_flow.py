"""AuraFlow: UMT5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="AuraFlow",
    pipelines=("AuraFlowPipeline",),
)
