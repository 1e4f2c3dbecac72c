"""HunyuanImage 2.1: the language model Qwen2.5-VL, and ByT5 for text in quotes, which is to be drawn."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="HunyuanImage 2.1",
    pipelines=("HunyuanImagePipeline",),
    template_tokens=8,
    max_tokens=1000,
)
