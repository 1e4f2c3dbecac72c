"""Z-Image with a ControlNet, which hears the prompt, too, and is mixed with."""

from __future__ import annotations

from counterpoint.families import Family

FAMILY = Family(
    name="Z-Image with ControlNet",
    pipelines=("ZImageControlNetPipeline", "ZImageControlNetInpaintPipeline"),
    template_tokens=16,
    note="the gate reads the prompt, not the control picture; reports count the denoiser's rows, not the ControlNet's; "
    "inpainting takes a mask for each picture",
)
