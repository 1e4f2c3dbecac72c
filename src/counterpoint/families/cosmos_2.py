"""Cosmos Predict 2: T5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Cosmos Predict 2",
    pipelines=("Cosmos2TextToImagePipeline",),
    note="NVIDIA's own guardrail stays: what it finds unsafe raises, and is not steered",
)
