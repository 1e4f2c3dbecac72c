"""Contact sheets show every picture whole; blurred pictures cannot be read back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from counterpoint.interfaces import InvalidInput
from counterpoint.sheet import EMPTY, GROUND, blur, contact_sheet


def _colour(colour: tuple[int, int, int], size: tuple[int, int] = (180, 180)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_every_picture_is_shown_in_its_cell() -> None:
    colours = [[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (200, 200, 0)]]
    sheet = contact_sheet(
        [[_colour(c) for c in row] for row in colours],
        columns=["plain", "high"], row_labels=["one", "two"], captions=[["a", "b"], ["c", "d"]], title="Title",
    )  # fmt: skip
    pixels = np.asarray(sheet)
    for row in colours:
        for colour in row:
            assert (pixels == colour).all(-1).sum() == 180 * 180
    assert sheet.getpixel((0, 0)) == GROUND


def test_labels_are_drawn_outside_the_pictures() -> None:
    bare = contact_sheet([[_colour((200, 0, 0))]])
    labelled = contact_sheet([[_colour((200, 0, 0))]], columns=["safety 0.5"], captions=[["steered\nw 0.75"]])
    assert labelled.height > bare.height
    dark = (np.asarray(labelled).max(-1) < 150).any(axis=1)
    assert dark[: labelled.height // 4].any() and dark[-labelled.height // 4 :].any()


def test_a_long_label_is_cut_to_the_sheet() -> None:
    sheet = contact_sheet([[_colour((200, 0, 0))]], columns=["word " * 100], row_labels=["word " * 100])
    assert (np.asarray(sheet)[:, -8:] == GROUND).all()


@pytest.mark.parametrize("label", ["counterpoint, gate open safety 0.5", "a_very_long_name_with_its_strength 2"])
def test_a_column_is_named_in_full_in_lines_that_fit(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, str, float]] = []

    def record(self: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *rest: Any) -> None:
        drawn.append((place[1], text, self.textlength(text, rest[1])))

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", record)
    contact_sheet([[None, None]], columns=[label, "b"], cell=132)
    *lines, (other, _, _) = sorted(drawn[:-1]) + drawn[-1:]
    assert len(lines) > 1 and "".join(text for _, text, _ in lines).replace(" ", "") == label.replace(" ", "")
    assert all(width <= 132 for _, _, width in lines)
    assert other == lines[-1][0]  # a short name stands next to the pictures


def test_small_and_wide_pictures_fit_their_cells() -> None:
    sheet = contact_sheet([[_colour((200, 0, 0), (16, 16)), _colour((0, 0, 200), (400, 100)), None]], cell=100)
    pixels = np.asarray(sheet)
    assert (pixels == (200, 0, 0)).all(-1).sum() == 100 * 100
    assert (pixels == (0, 0, 200)).all(-1).sum() == 100 * 25
    assert (pixels == EMPTY).all(-1).sum() == 100 * 100


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("rows", {"rows": []}),
        ("rows", {"rows": [[None, None], [None]]}),
        ("columns", {"rows": [[None]], "columns": ["a", "b"]}),
        ("row_labels", {"rows": [[None]], "row_labels": ["a", "b"]}),
        ("captions", {"rows": [[None]], "captions": [["a", "b"]]}),
    ],
)
def test_labels_that_do_not_fit_the_grid_are_refused(field: str, call: dict[str, list[object]]) -> None:
    with pytest.raises(InvalidInput) as caught:
        contact_sheet(**call)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_blur_keeps_size_and_colour_and_loses_shapes() -> None:
    image = Image.new("RGB", (128, 96), (240, 240, 240))
    ImageDraw.Draw(image).rectangle((40, 30, 60, 50), outline=(0, 0, 0), width=2)
    hidden = blur(image)
    assert hidden.size == image.size
    before, after = (np.asarray(x.convert("L"), dtype=float) for x in (image, hidden))
    assert abs(before.mean() - after.mean()) < 8
    edges_before, edges_after = (np.abs(np.diff(x, axis=1)).max() for x in (before, after))
    assert edges_before > 200 and edges_after < 5
