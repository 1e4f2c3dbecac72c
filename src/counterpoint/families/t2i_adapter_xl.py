"""Stable Diffusion XL with a T2I-Adapter, which sees its picture alone."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion XL with T2I-Adapter",
    pipelines=("StableDiffusionXLAdapterPipeline",),
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    note="the gate reads the prompt, not the control picture; no callback_on_step_end",
)
