"""Stable Diffusion XL: two CLIP encoders, token embeddings side by side, and a pooled embedding."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion XL",
    pipelines=(
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLPAGPipeline",
        "StableDiffusionXLPAGImg2ImgPipeline",
        "StableDiffusionXLPAGInpaintPipeline",
    ),
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    note="the gate reads the prompt, not the start picture; wrap base and refiner both, the refiner with tau 0: "
    "tau is a part of the steps that a call takes, and before it the prompt is drawn alone",
)
