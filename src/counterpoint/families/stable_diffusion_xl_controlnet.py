"""Stable Diffusion XL with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion XL with ControlNet",
    pipelines=(
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline",
        "StableDiffusionXLControlNetUnionPipeline",
        "StableDiffusionXLControlNetUnionImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionInpaintPipeline",
        "StableDiffusionXLControlNetPAGPipeline",
        "StableDiffusionXLControlNetPAGImg2ImgPipeline",
    ),
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's",
)
