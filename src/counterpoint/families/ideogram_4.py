"""Ideogram 4: hidden layers of the language model Qwen3-VL; a second network draws without a prompt."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Ideogram 4",
    pipelines=("Ideogram4Pipeline",),
    template_tokens=16,
    packs_latents=True,
    fixed_arguments=("prompt_upsampling", "prompt_upsampling_temperature"),
    note="prompt upsampling is refused: it writes another prompt; reports count the rows of the network with a prompt; "
    "for other than 48 steps give guidance_scale, and guidance_schedule=None",
)
