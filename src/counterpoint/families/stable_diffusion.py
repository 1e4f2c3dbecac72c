"""Stable Diffusion 1.x and 2.x, and the embedded model."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion 1.x, 2.x",
    pipelines=(
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionDepth2ImgPipeline",
        "StableDiffusionPAGPipeline",
        "StableDiffusionPAGImg2ImgPipeline",
        "StableDiffusionPAGInpaintPipeline",
    ),
    reference_pipelines=("StableDiffusionPipeline",),
    takes_embeddings=True,
    note="the gate reads the prompt, not the start picture or an IP-Adapter's",
)
