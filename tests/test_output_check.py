"""The output check: merged verdicts, errors that are errors, pictures that cannot be brought back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image

from counterpoint.interfaces import DegeneratePicture, Detection, InvalidInput, SafetyFailure
from counterpoint.output_check import check_on_unsafe, hide, judge, like, to_pil


def picture(seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    return Image.fromarray(values)


class Fixed:
    """A detector with one answer for the picture whose corner has a given value."""

    def __init__(self, category: str, unsafe_at: int) -> None:
        self.category, self.unsafe_at = category, unsafe_at

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        return [
            Detection(is_unsafe=i == self.unsafe_at, score=i / 10, categories={self.category: i / 10})
            for i, _ in enumerate(pictures)
        ]


@pytest.mark.parametrize("kind", ["pil", "np", "pt"])
def test_all_output_types_show_the_same_picture(kind: str) -> None:
    pictures = [picture(0), picture(1)]
    values = np.stack([np.asarray(p) for p in pictures]).astype(np.float32) / 255
    images = {"pil": pictures, "np": values, "pt": torch.from_numpy(values).permute(0, 3, 1, 2)}[kind]
    assert [np.array_equal(a, b) for a, b in zip(to_pil(images), pictures, strict=True)] == [True, True]
    back = like(pictures[0], images)
    expected = images[0]
    assert type(back) is type(expected)
    assert np.allclose(np.asarray(back), np.asarray(expected))


def test_latents_cannot_be_checked() -> None:
    with pytest.raises(InvalidInput, match="output_type"):
        to_pil(torch.zeros(1, 4, 8, 8))


def test_any_detector_is_enough_and_scores_are_merged() -> None:
    verdicts = judge([Fixed("a", 1), Fixed("b", 2)], [picture(i) for i in range(4)])
    assert [verdict.is_unsafe for verdict in verdicts] == [False, True, True, False]
    assert verdicts[3].categories == {"a": 0.3, "b": 0.3}


@pytest.mark.parametrize("answer", [ValueError("lost"), []])
def test_a_detector_that_fails_is_an_error(answer: object) -> None:
    def broken(pictures: Sequence[Image.Image]) -> list[Detection]:
        if isinstance(answer, Exception):
            raise answer
        return []

    with pytest.raises(SafetyFailure, match="output check"):
        judge([Fixed("a", 0), broken], [picture()])


def test_hidden_pictures_keep_their_size_and_lose_their_content() -> None:
    for how in ("blur", "block"):
        hidden = hide(picture(), how)  # type: ignore[arg-type]
        assert hidden.size == picture().size
        assert np.asarray(hidden, dtype=float).std() < np.asarray(picture(), dtype=float).std() / 3


def test_unknown_reaction_is_refused() -> None:
    with pytest.raises(InvalidInput, match="steer, blur, block, flag"):
        check_on_unsafe("shrug")


def test_no_detector_is_no_verdict_and_a_nan_picture_is_none_to_judge() -> None:
    with pytest.raises(InvalidInput, match="picture_detectors: got 'none'"):
        judge([], [Image.new("RGB", (8, 8))])
    with pytest.raises(DegeneratePicture, match="NaN"):
        judge([lambda pictures: [Detection(is_unsafe=False, score=0.0)]], np.full((1, 8, 8, 3), np.nan))
