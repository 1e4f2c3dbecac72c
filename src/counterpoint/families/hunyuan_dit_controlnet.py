"""Hunyuan-DiT with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Hunyuan-DiT with ControlNet",
    pipelines=("HunyuanDiTControlNetPipeline",),
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's",
)
