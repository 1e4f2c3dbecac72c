"""Stable Diffusion 1.x and 2.x with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion 1.x, 2.x with ControlNet",
    pipelines=(
        "StableDiffusionControlNetPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionControlNetInpaintPipeline",
        "StableDiffusionControlNetPAGPipeline",
        "StableDiffusionControlNetPAGInpaintPipeline",
    ),
    takes_embeddings=True,
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's",
)
