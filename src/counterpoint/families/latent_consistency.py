"""Stable Diffusion distilled to a few steps (LCM): the guidance is an input of the denoiser."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Latent consistency models",
    pipelines=("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline"),
    note="the gate reads the prompt, not the start picture",
)
