"""FLUX.2 dev: hidden layers of the language model Mistral Small 3, with a system message in front of the prompt."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="FLUX.2 dev",
    pipelines=("Flux2Pipeline",),
    template_tokens=48,
    fixed_arguments=("caption_upsample_temperature",),
    note="the gate reads the prompt, not reference pictures; caption upsampling is refused: it writes another prompt",
)
