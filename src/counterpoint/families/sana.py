"""Sana: the language model Gemma 2, which also reads an instruction in front of the prompt."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Sana",
    pipelines=("SanaPipeline", "SanaPAGPipeline", "SanaSprintPipeline", "SanaSprintImg2ImgPipeline"),
    template_tokens=2,
    fixed_arguments=("complex_human_instruction",),
)
