"""Kandinsky 3: T5."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Kandinsky 3",
    pipelines=("Kandinsky3Pipeline", "Kandinsky3Img2ImgPipeline"),
    note="the empty text is cut to the prompt's length, so that an engaged step takes four rows, not three",
)
