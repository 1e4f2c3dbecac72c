"""The mark is found where it was put, not elsewhere, and survives a change of format."""

from __future__ import annotations

import io
import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.png import PictureRecord
from counterpoint.provenance import watermark
from counterpoint.provenance.files import FileFormat
from counterpoint.provenance.marking import LEAST_QUALITY, METADATA_ONLY, Marking
from counterpoint.provenance.watermark import MARGIN, THRESHOLD, detect, embed, is_marked


def _flat(side: int) -> Image.Image:
    picture = Image.new("RGB", (side, side), (255, 255, 255))
    picture.paste((200, 30, 40), (side // 4, side // 4, side // 2, side // 2))
    return picture


def _smooth(side: int) -> Image.Image:
    pixels = np.random.default_rng(side).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def _noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8))


def _saved(picture: Image.Image, file_format: str, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, quality=quality)
    return Image.open(buffer)


RECORD = PictureRecord(prompt_sha256="", seed=0, steps=1, guidance_scale=1.0, scheduler="", model="")
PICTURES = [make(side) for make in (_flat, _smooth, _noise) for side in (128, 192)]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: f"{picture.width}")
def test_the_mark_survives_jpeg_and_webp_at_75(picture: Image.Image) -> None:
    assert not is_marked(picture)
    marked = embed(picture)
    assert marked.size == picture.size and marked.mode == "RGB"
    for file_format in ("JPEG", "WEBP"):
        assert detect(_saved(marked, file_format, 75)) >= MARGIN > THRESHOLD
        assert not is_marked(_saved(picture, file_format, 75))


@pytest.mark.parametrize("picture", [make(side) for make in (_flat, _smooth, _noise) for side in (64, 128)])
@pytest.mark.parametrize(("file_format", "least"), list(LEAST_QUALITY.items()))
def test_the_mark_is_found_in_the_file_at_every_quality_that_is_allowed(
    picture: Image.Image, file_format: FileFormat, least: int
) -> None:
    for quality in (least, least + 10, 100):
        content = Marking().encode(picture, RECORD, file_format, quality=quality)
        assert detect(Image.open(io.BytesIO(content))) >= MARGIN
    for wrong in (least - 1, 101):
        with pytest.raises(InvalidInput, match=rf"quality: got {wrong}.*{least}\.\.100 for {file_format}"):
            Marking().encode(picture, RECORD, file_format, quality=wrong)
    assert METADATA_ONLY.encode(picture, RECORD, file_format, quality=0)


def test_a_low_quality_makes_the_mark_stronger_and_a_high_one_leaves_it() -> None:
    picture = _smooth(128)
    assert embed(picture, file=("JPEG", 90)).tobytes() == embed(picture).tobytes()
    low = ("JPEG", LEAST_QUALITY["jpeg"])
    assert detect(_saved(embed(picture), *low)) < MARGIN <= detect(_saved(embed(picture, file=low), *low))


@pytest.mark.parametrize(("make", "least"), [(_flat, 34.0), (_smooth, 45.0)])  # white paper turns a little grey
def test_the_mark_is_faint(make: Callable[[int], Image.Image], least: float) -> None:
    before, after = np.asarray(make(128), dtype=float), np.asarray(embed(make(128)), dtype=float)
    assert 10 * math.log10(255**2 / np.mean((before - after) ** 2)) > least  # PSNR in dB
    assert np.abs(before - after).max() <= 10


def test_the_mark_survives_brightness_contrast_and_grey() -> None:
    marked = embed(_smooth(128))
    assert is_marked(ImageEnhance.Brightness(marked).enhance(0.8))
    assert is_marked(ImageEnhance.Contrast(marked).enhance(1.2))
    assert is_marked(marked.convert("L"))


def test_another_key_finds_nothing() -> None:
    marked = embed(_smooth(128), key=b"one")
    assert is_marked(marked, key=b"one")
    assert not any(is_marked(marked, key=key) for key in (b"two", watermark.DEFAULT_KEY))


def test_false_alarms_stay_below_hoeffdings_bound() -> None:
    picture = _smooth(128)
    strengths = np.array([detect(picture, key=str(number).encode()) for number in range(400)])
    assert abs(strengths.mean()) < 0.2 and 0.85 < strengths.std() < 1.15  # z is in standard deviations
    assert (strengths >= 2.0).mean() <= math.exp(-(2.0**2) / 2)
    assert strengths.max() < THRESHOLD


def test_the_smallest_picture_is_marked_even_where_it_is_restless() -> None:
    rng = np.random.default_rng(0)
    waves = [np.tile(watermark._wave(frequency), (8, 8)) for frequency in watermark.COEFFICIENTS]
    for _ in range(20):
        heights = rng.normal(0.0, 35.0, (len(waves), 8, 8)).repeat(8, 1).repeat(8, 2)
        luma = 128.0 + sum(height * wave for height, wave in zip(heights, waves, strict=True))
        picture = Image.fromarray(luma.clip(0, 255).astype(np.uint8)).convert("RGB")
        assert is_marked(embed(picture))


def test_small_pictures_and_pictures_that_drown_the_mark_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="at least 64"):
        embed(_flat(63))
    assert detect(_flat(63)) == 0.0
    assert detect(Image.new("RGB", (64, 64), (9, 9, 9))) == 0.0
    monkeypatch.setattr(watermark, "STRENGTHS", (0.1,))
    with pytest.raises(SafetyFailure, match="drowns"):
        embed(_noise(128))


def test_a_large_picture_is_read_in_parts() -> None:
    picture = _noise(1100).crop((0, 0, 1100, 523))
    luma = np.asarray(picture, dtype=float) @ watermark.LUMA
    whole = np.zeros((8, 8, len(watermark.COEFFICIENTS)))
    for row in range(523 // 8):
        for column in range(1100 // 8):
            block = luma[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            waves = [watermark._wave(frequency) for frequency in watermark.COEFFICIENTS]
            found = np.array([(block * wave).sum() for wave in waves])
            whole[row % 8, column % 8] += found.clip(-watermark.CLIP, watermark.CLIP)
    assert np.allclose(watermark.tile_sums(picture), whole, atol=1e-9)
    wide = Image.new("RGB", (20_000, 64))
    tracemalloc.start()
    detect(wide)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * 64 * 8  # one float of eight bytes a pixel would be more
