"""Look at finished pictures with one or more detectors, and hide what must not be shown.

A detector that raises is an error, never "safe": the call then returns no picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

import numpy as np
import torch
from PIL import Image

from counterpoint.detectors.ensemble import merge, verdicts_of
from counterpoint.interfaces import DegeneratePicture, Detection, InvalidInput, OnUnsafe, PictureDetector
from counterpoint.reports import Pictures
from counterpoint.sheet import blur

BLOCKED_COLOUR = (128, 128, 128)
"""Of a blocked picture: flat grey, as a black one is also what a failed model draws."""


def check_on_unsafe(on_unsafe: str) -> OnUnsafe:
    """Return `on_unsafe`.

    Raises:
        InvalidInput: It is none of steer, blur, block, flag.
    """
    if on_unsafe not in get_args(OnUnsafe):
        raise InvalidInput("on_unsafe", on_unsafe, ", ".join(get_args(OnUnsafe)))
    return cast(OnUnsafe, on_unsafe)


def to_pil(images: Any) -> list[Image.Image]:
    """Pictures as a pipeline returns them, as RGB images.

    Args:
        images: List of PIL images, array (B, H, W, 3) or tensor (B, 3, H, W), values 0..1.

    Raises:
        InvalidInput: The pictures are latents or something else that nobody can look at.
        DegeneratePicture: There is NaN or infinity in one, which would be drawn black.
    """
    allowed = "pil, np or pt: an output check has to see the picture"
    if isinstance(images, list) and all(isinstance(image, Image.Image) for image in images):
        return [image.convert("RGB") for image in images]
    if isinstance(images, torch.Tensor) and images.ndim == 4 and images.shape[1] == 3:
        images = images.detach().float().cpu().permute(0, 2, 3, 1).numpy()
    if isinstance(images, np.ndarray) and images.ndim == 4 and images.shape[-1] == 3:
        if not np.isfinite(images).all():
            raise DegeneratePicture("a picture holds NaN or infinity; nothing is returned")
        return [Image.fromarray(row) for row in (images.clip(0, 1) * 255).round().astype(np.uint8)]
    raise InvalidInput("output_type", type(images).__name__, allowed)


def like(picture: Image.Image, images: Any) -> Any:
    """Picture in the form of one element of `images`: PIL image, (H, W, 3) array or (3, H, W) tensor."""
    if isinstance(images, list):
        return picture
    values = np.asarray(picture, dtype=np.float32) / 255
    if isinstance(images, torch.Tensor):
        return torch.from_numpy(values).permute(2, 0, 1).to(images)
    return values.astype(images.dtype)


def judge(detectors: Sequence[PictureDetector], images: Any) -> list[Detection]:
    """Merge the verdicts of several detectors: unsafe where any says so.

    Args:
        detectors: At least one.
        images: See `to_pil`.

    Raises:
        SafetyFailure: A detector raised, or judged another number of pictures.
        InvalidInput: There is no detector; see `to_pil`.
        DegeneratePicture: See `to_pil`.
    """
    if not detectors:
        raise InvalidInput("picture_detectors", "none", "at least one")
    pictures = to_pil(images)
    opinions = [verdicts_of(one, pictures, role="output check", noun="pictures") for one in detectors]
    return [merge(verdicts) for verdicts in zip(*opinions, strict=True)]


def hide(picture: Image.Image, how: OnUnsafe) -> Image.Image:
    """Blurred where `how` is "blur", else flat grey; neither can be sharpened back."""
    return blur(picture) if how == "blur" else Image.new("RGB", picture.size, BLOCKED_COLOUR)


def hide_unsafe(drawn: Pictures, how: OnUnsafe) -> None:
    """Put blurred or flat grey pictures in the place of those found unsafe; "flag" leaves them as they are."""
    if how == "flag":
        return
    for index in drawn.unsafe:
        (picture,) = to_pil(drawn.images[index : index + 1])
        drawn.hide(index, like(hide(picture, how), drawn.images), "blurred" if how == "blur" else "blocked")
