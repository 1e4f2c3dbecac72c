"""Lumina 2: the language model Gemma 2, with a system prompt in front of the prompt."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Lumina 2",
    pipelines=("Lumina2Pipeline",),
    template_tokens=48,
    fixed_arguments=("system_prompt",),
)
