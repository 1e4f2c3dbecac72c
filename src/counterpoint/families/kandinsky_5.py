"""Kandinsky 5: the language model Qwen2.5-VL for the tokens, CLIP for the pooled embedding."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Kandinsky 5",
    pipelines=("Kandinsky5T2IPipeline",),
    template_tokens=8,
    output="image",
    channels_last=True,
    note="its result calls the pictures `image`",
)
