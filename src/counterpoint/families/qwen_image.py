"""Qwen-Image: the language model Qwen2.5-VL; texts of different length."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Qwen-Image",
    pipelines=("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline"),
    template_tokens=8,
    note="the gate reads the prompt, not the start picture",
)
