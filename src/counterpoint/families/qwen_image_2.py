"""Qwen-Image 2.1: the language model Qwen3-VL; what it made of the text is kept from step to step."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Qwen-Image 2.1",
    pipelines=("QwenImage21Pipeline",),
    encoders=(("processor", "text_encoder"),),
    note="the gate reads the prompt, not reference pictures",
)
