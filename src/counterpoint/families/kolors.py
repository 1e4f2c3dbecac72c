"""Kolors: the language model ChatGLM3, token embeddings and a pooled embedding."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Kolors",
    pipelines=("KolorsPipeline", "KolorsImg2ImgPipeline", "KolorsPAGPipeline"),
    reads_with="ChatGLM",
    note="the gate reads the prompt, not the start picture",
)
