"""FLUX.1: T5 for the tokens, CLIP for the pooled embedding."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="FLUX.1",
    pipelines=(
        "FluxPipeline",
        "FluxImg2ImgPipeline",
        "FluxInpaintPipeline",
        "FluxFillPipeline",
        "FluxControlPipeline",
        "FluxControlImg2ImgPipeline",
        "FluxControlInpaintPipeline",
    ),
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    note="the gate reads with CLIP; a prompt may have 512 tokens of T5",
)
