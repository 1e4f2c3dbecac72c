"""Sana with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Sana with ControlNet",
    pipelines=("SanaControlNetPipeline",),
    template_tokens=2,
    fixed_arguments=("complex_human_instruction",),
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's",
)
