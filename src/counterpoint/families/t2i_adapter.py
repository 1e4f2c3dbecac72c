"""Stable Diffusion 1.x and 2.x with a T2I-Adapter, which sees its picture alone."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Stable Diffusion 1.x, 2.x with T2I-Adapter",
    pipelines=("StableDiffusionAdapterPipeline",),
    takes_embeddings=True,
    note="the gate reads the prompt, not the control picture; no callback_on_step_end",
)
