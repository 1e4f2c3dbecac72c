"""Nucleus-Image: hidden layers of the language model Qwen3-VL."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Nucleus-Image",
    pipelines=("NucleusMoEImagePipeline",),
    encoders=(("processor", "text_encoder"),),
    template_tokens=64,
    max_tokens=1024,
)
