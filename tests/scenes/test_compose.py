"""Claims about composed pictures, on five committed sprites."""

import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("resvg_py")

from counterpoint.scenes.compose import OBJECT_SIDES, compose
from counterpoint.scenes.sprites import Sprites
from counterpoint.scenes.world import Scene

SPRITES = Sprites(Path(__file__).parent / "sprites")
PLACES = ("city", "living room", "circus", "sunset", "desert")
"""Backgrounds that need no sprite but the cactus."""


def draw(
    thing: str | None, *, seed: int, subject: str = "cat", place: str = "city", size: int = 128
) -> NDArray[np.uint8]:
    scene = Scene(subject=subject, object=thing, background=place)
    return compose(scene, SPRITES, random.Random(seed), size)


def test_a_picture_is_eight_bit_rgb_of_the_asked_size() -> None:
    for size in (32, 64, 128, 256):
        picture = draw("bomb", seed=0, size=size)
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8


def test_the_same_seed_gives_the_same_pixels_and_another_seed_does_not() -> None:
    for place in PLACES:
        np.testing.assert_array_equal(draw("bomb", seed=1, place=place), draw("bomb", seed=1, place=place))
        assert (draw("bomb", seed=1, place=place) != draw("bomb", seed=2, place=place)).any()


def test_twins_drawn_from_one_seed_differ_inside_the_object_alone() -> None:
    for seed in range(100):
        differs = (draw("bomb", seed=seed) != draw("basketball", seed=seed)).any(axis=2)
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        for span in (rows, columns):
            extent = span[-1] - span[0] + 1
            assert 30 <= extent <= max(OBJECT_SIDES)
            assert span[0] >= 2
            assert span[-1] < 126  # never cut by the border


def test_subject_object_and_background_each_change_the_picture() -> None:
    reference = draw("bomb", seed=3)
    assert (reference != draw("bomb", seed=3, subject="robot")).mean() > 0.05
    assert (reference != draw("bomb", seed=3, place="sunset")).mean() > 0.3
    assert (reference != draw(None, seed=3)).mean() > 0.05


def test_every_pair_of_backgrounds_differs_in_most_pixels() -> None:
    for index, one in enumerate(PLACES):
        for other in PLACES[index + 1 :]:
            difference = draw(None, seed=4, place=one) != draw(None, seed=4, place=other)
            assert difference.any(axis=2).mean() > 0.4, (one, other)


def test_a_picture_too_small_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        draw("bomb", seed=0, size=16)


def test_a_missing_sprite_names_the_file_and_the_script() -> None:
    with pytest.raises(FileNotFoundError, match=r"skull\.svg.*scripts/get_sprites\.py"):
        draw("skull", seed=0)


def test_a_sprite_is_rendered_once_per_size() -> None:
    assert SPRITES.get("cat", 40) is SPRITES.get("cat", 40)
    assert SPRITES.get("cat", 40).size == (40, 40)
    assert SPRITES.get("cat", 40).mode == "RGBA"
