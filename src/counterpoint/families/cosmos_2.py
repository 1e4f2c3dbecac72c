"""Cosmos Predict 2: T5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Cosmos Predict 2",
    pipelines=("Cosmos2TextToImagePipeline",),
    note="NVIDIA's own guardrail reads the prompt and the safe prompt, too, and looks at the picture",
)
