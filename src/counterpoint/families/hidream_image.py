"""HiDream-I1: hidden layers of the language model Llama 3, T5, and two CLIP encoders for the pooled embedding."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="HiDream-I1",
    pipelines=("HiDreamImagePipeline",),
    encoders=(
        ("tokenizer", "text_encoder"),
        ("tokenizer_2", "text_encoder_2"),
        ("tokenizer_3", "text_encoder_3"),
        ("tokenizer_4", "text_encoder_4"),
    ),
    note="the gate reads with CLIP; a prompt may have 128 tokens of Llama",
)
