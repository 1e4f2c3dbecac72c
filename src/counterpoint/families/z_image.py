"""Z-Image: the language model Qwen3; one tensor a row, of the text's own length."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Z-Image",
    pipelines=("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"),
    template_tokens=16,
    note="the gate reads the prompt, not the start picture",
)
