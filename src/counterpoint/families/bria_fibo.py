"""Bria FIBO: all hidden layers of the language model SmolLM3."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Bria FIBO",
    pipelines=("BriaFiboPipeline",),
    note="the empty text is padded to the prompt's length, so that an engaged step takes four rows, not three",
)
