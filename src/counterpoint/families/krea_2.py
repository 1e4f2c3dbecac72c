"""Krea 2: hidden layers of the language model Qwen3-VL."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Krea 2",
    pipelines=("Krea2Pipeline",),
    template_tokens=8,
)
