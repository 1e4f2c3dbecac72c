"""Pictures of a drawing under way, for callers that stream: checked before anybody sees them.

Each is the present latents, decoded. It is shown only

    in the second half of the schedule      before, there is too much noise for a detector to say anything
    after a step that was mixed             so that no steered prompt shows what the original stream alone draws
    where no picture detector objects       one that fails ends the call, as it does for a finished picture
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from counterpoint.interfaces import InvalidInput
from counterpoint.levels import schedule_for
from counterpoint.output_check import judge
from counterpoint.pictures import check_pictures
from counterpoint.server.picture_queue import Order

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from counterpoint.pipeline import SafePipeline

FIRST = 0.5
"""Fraction of the schedule after which pictures may be shown."""


class Partials:
    """Shows the partial pictures of one order.

    Args:
        safe: The pipeline that draws it.
        order: Says how many are wanted, and takes them.

    Raises:
        InvalidInput: The model's latents cannot be decoded halfway.
    """

    def __init__(self, safe: SafePipeline, order: Order) -> None:
        if not can_preview(safe.pipe):
            raise InvalidInput("partial_images", order.partial_images, "0: only models with a U-Net show any")
        self._safe, self._order, self._shown = safe, order, 0
        dial = order.settings.safety
        self._schedule = (safe.schedule or schedule_for(dial)) if dial > 0.0 else None

    def after_step(self, step: int, num_steps: int, latents: Tensor) -> None:
        """Show a picture where one is due.

        Args:
            step: Number of the step that was taken, from 0.
            num_steps: Steps of the whole drawing.
            latents: What it left, (1, C, H, W).

        Raises:
            SafetyFailure: A picture detector failed, or the picture is degenerate.
        """
        if self._shown >= self._order.partial_images or step + 1 not in moments(num_steps, self._order.partial_images):
            return
        if self._schedule is not None and self._schedule.weight_at(step, num_steps) == 0.0:
            return
        image = _decode(self._safe.pipe, latents)
        check_pictures([image])
        if self._safe.picture_detectors and judge(self._safe.picture_detectors, [image])[0].is_unsafe:
            return
        assert self._order.on_partial is not None
        self._order.on_partial(self._shown, image)
        self._shown += 1


def moments(num_steps: int, count: int) -> set[int]:
    """Return after how many steps a partial picture is due, evenly in the second half, never after the last step."""
    parts = (FIRST + (1.0 - FIRST) * (index + 1) / (count + 1) for index in range(count))
    return {math.ceil(num_steps * part) for part in parts} - {num_steps}


def can_preview(pipe: Any) -> bool:
    """Whether latents of a step can be decoded as they are: a U-Net's are never packed."""
    return getattr(pipe, "unet", None) is not None and type(pipe.vae).__name__ == "AutoencoderKL"


def _decode(pipe: Any, latents: Tensor) -> Image:
    config = pipe.vae.config
    scaled = latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0.0)
    decoded = pipe.vae.decode(scaled.to(pipe.vae.dtype), return_dict=False)[0]
    image: Image = pipe.image_processor.postprocess(decoded.detach(), output_type="pil")[0]
    return image
