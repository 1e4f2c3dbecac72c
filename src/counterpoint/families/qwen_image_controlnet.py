"""Qwen-Image with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Qwen-Image with ControlNet",
    pipelines=("QwenImageControlNetPipeline", "QwenImageControlNetInpaintPipeline"),
    template_tokens=8,
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's",
)
