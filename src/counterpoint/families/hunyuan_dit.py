"""Hunyuan-DiT: BERT and T5; the gate reads with BERT."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Hunyuan-DiT",
    pipelines=("HunyuanDiTPipeline", "HunyuanDiTPAGPipeline"),
    encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    note="the gate reads with BERT",
)
