"""Stable Diffusion 3 and 3.5 with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion 3, 3.5 with ControlNet",
    pipelines=("StableDiffusion3ControlNetPipeline", "StableDiffusion3ControlNetInpaintingPipeline"),
    encoders=(
        ("tokenizer", "text_encoder"),
        ("tokenizer_2", "text_encoder_2"),
        ("tokenizer_3", "text_encoder_3"),
    ),
    fixed_arguments=("controlnet_pooled_projections",),
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's",
)
