"""The prompt check and the image gate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from counterpoint.detectors.minors import is_forbidden
from counterpoint.interfaces import Detection, Detector, ForbiddenPrompt, InvalidInput, PictureDetector, SafetyFailure
from counterpoint.output_check import BLOCKED_COLOUR, judge, like, to_pil
from counterpoint.sheet import blur

HOW = ("blur", "block")


@cache
def prompt_detector() -> Detector:
    """Return all of the product's gate that needs no text encoder of a pipeline; loaded once."""
    from counterpoint.gate import shared_classifier, with_second_opinions

    return with_second_opinions(shared_classifier("balanced"))


@cache
def picture_detectors() -> tuple[PictureDetector, ...]:
    """Return who looks at pictures; loaded once."""
    from counterpoint.picture_detectors.open_nsfw import OpenNsfw

    return (OpenNsfw(),)


def check_prompt(text: str, detector: Detector) -> tuple[bool, float, str]:
    """Judge a prompt.

    Returns:
        Whether the safe stream has to engage, the score, and the categories with theirs.

    Raises:
        ForbiddenPrompt: It asks for what is drawn at no setting.
        SafetyFailure: The detector gave no verdict.
    """
    if is_forbidden(text):
        raise ForbiddenPrompt
    verdicts: Sequence[Detection] = detector([text])
    if len(verdicts) != 1 or not verdicts[0].is_finite:
        raise SafetyFailure("the prompt check gave no verdict; nothing is drawn")
    (verdict,) = verdicts
    told = ", ".join(f"{name} {score:.2f}" for name, score in verdict.categories.items())
    return verdict.is_unsafe, verdict.score, told


def gate_images(images: Tensor, how: str, detectors: Sequence[PictureDetector]) -> tuple[Tensor, bool]:
    """Hide unsafe pictures.

    Args:
        images: ComfyUI's IMAGE, (B, H, W, 3), values 0..1.
        how: "blur", or "block": flat grey.
        detectors: Who looks, at least one.

    Returns:
        Pictures of the same shape, and whether any was unsafe.

    Raises:
        InvalidInput: `how` is not known, there is no detector, or the pictures cannot be looked at.
        SafetyFailure: A detector failed, or a picture holds NaN: nothing passes.
    """
    if how not in HOW:
        raise InvalidInput("how", how, ", ".join(HOW))
    if not detectors:
        raise InvalidInput("detectors", 0, "at least one")
    if not bool(torch.isfinite(images).all()):
        raise SafetyFailure("a picture holds values that are not finite; nothing is returned")
    array = images.detach().float().cpu().numpy()
    shown: Any = images.clone()
    verdicts = judge(detectors, array)
    for index, (verdict, picture) in enumerate(zip(verdicts, to_pil(array), strict=True)):
        if verdict.is_unsafe and how == "blur":
            shown[index] = torch.from_numpy(like(blur(picture), array)).to(shown)
        elif verdict.is_unsafe:
            shown[index] = torch.tensor(BLOCKED_COLOUR).to(shown) / 255
    return shown, any(verdict.is_unsafe for verdict in verdicts)
