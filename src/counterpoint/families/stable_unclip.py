"""Stable unCLIP, Stable Diffusion 2.1 with variations of a picture: the prompt steers the denoiser alone."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable unCLIP, from a picture",
    pipelines=("StableUnCLIPImg2ImgPipeline",),
    takes_embeddings=True,
    note="the gate reads the prompt, not the picture; no callback_on_step_end",
)
