"""CogView4: the language model GLM; texts of different length."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="CogView4",
    pipelines=("CogView4Pipeline", "CogView4ControlPipeline"),
)
