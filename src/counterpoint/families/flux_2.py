"""FLUX.2 klein: hidden layers of the language model Qwen3."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="FLUX.2 klein",
    pipelines=("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
    template_tokens=16,
    note="the gate reads the prompt, not reference pictures",
)
