"""Contact sheets: a labelled grid of pictures on a light ground. Pillow only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from counterpoint.interfaces import InvalidInput

GROUND = (250, 250, 248)
INK = (32, 32, 36)
FAINT = (104, 104, 112)
EMPTY = (228, 228, 224)
SMALLEST_CELL = 176
GAP = 10
MARGIN = 16
COLUMN_LINES = 4
"""Lines of a column's label at most."""
BLUR_PIXELS = 6
"""Pixels along the longer side that are left of a blurred picture."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def blur(image: Image.Image) -> Image.Image:
    """Return a picture of the same size in which no shape can be made out.

    All but a few pixels are thrown away first, so that no sharpening brings the picture back.
    """
    longest = max(image.size)
    few = (max(1, image.width * BLUR_PIXELS // longest), max(1, image.height * BLUR_PIXELS // longest))
    rough = image.convert("RGB").resize(few, Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)
    return rough.filter(ImageFilter.GaussianBlur(longest / BLUR_PIXELS / 2))


def contact_sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    *,
    columns: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    title: str = "",
    cell: int | None = None,
) -> Image.Image:
    """Lay pictures out in a grid.

    Args:
        rows: Pictures by row; None leaves a cell empty. All rows have the same length.
        columns: One label a column, above the grid, in up to four lines; empty for none.
        row_labels: One line above each row; empty for none. Cut where too long.
        captions: One text under each picture; empty for none.
        title: One line above everything.
        cell: Side of a cell in pixels; by default the largest picture's, at least 176.

    Returns:
        An RGB picture.

    Raises:
        InvalidInput: The grid is empty, or labels and pictures differ in number.
    """
    _check_shape(rows, columns, row_labels, captions)
    side = cell or max([SMALLEST_CELL, *(max(p.size) for row in rows for p in row if p is not None)])
    font, bold = ImageFont.load_default(size=max(12, side // 13)), ImageFont.load_default(size=max(14, side // 11))
    line, tall = _line_height(font), _line_height(bold)
    caption_lines = max((text.count("\n") + 1 for row in captions for text in row if text), default=0)
    width = 2 * MARGIN + len(rows[0]) * (side + GAP) - GAP
    names = [_wrapped(label, bold, side) for label in columns]
    names_height = tall * max(map(len, names), default=0) + (GAP // 2 if columns else 0)
    head = MARGIN + (tall + GAP if title else 0) + names_height
    row_height = (line if row_labels else 0) + side + caption_lines * line + GAP
    sheet = Image.new("RGB", (width, head + len(rows) * row_height - GAP + MARGIN), GROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((MARGIN, MARGIN), _cut(draw, title, bold, width - 2 * MARGIN), INK, bold)
    for x, lines in enumerate(names):
        for number, text in enumerate(reversed(lines)):  # the last line stands next to the pictures
            place = (MARGIN + x * (side + GAP), head - GAP // 2 - (number + 1) * tall)
            _centred(draw, text, bold, INK, place, side)
    for y, row in enumerate(rows):
        top = head + y * row_height
        if row_labels:
            draw.text((MARGIN, top), _cut(draw, row_labels[y], font, width - 2 * MARGIN), INK, font)
            top += line
        for x, picture in enumerate(row):
            left = MARGIN + x * (side + GAP)
            _paste(sheet, draw, picture, (left, top), side)
            for number, text in enumerate(captions[y][x].split("\n") if captions else []):
                _centred(draw, text, font, FAINT, (left, top + side + number * line), side)
    return sheet


def _check_shape(
    rows: Sequence[Sequence[Image.Image | None]], columns: Sequence[str], row_labels: Sequence[str],
    captions: Sequence[Sequence[str]],
) -> None:  # fmt: skip
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise InvalidInput("rows", [len(row) for row in rows], "at least one row of pictures, all of one length")
    shapes = (
        ("columns", len(columns), len(rows[0])),
        ("row_labels", len(row_labels), len(rows)),
        ("captions", len(captions), len(rows)),
    )
    for name, count, needed in shapes:
        if count not in (0, needed):
            raise InvalidInput(name, f"{count} texts", f"none or {needed}")
    if any(len(texts) != len(rows[0]) for texts in captions):
        raise InvalidInput("captions", [len(texts) for texts in captions], f"{len(rows[0])} texts a row")


def _line_height(font: Font) -> int:
    return int(font.getbbox("Åg")[3] * 1.35)


def _cut(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    """Cut a line to `width` pixels; three dots say so."""
    text = " ".join(text.split())
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "...", font) > width:
        text = text[:-1]
    return text + "..."


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """Break a label into as few lines of `width` pixels as it needs, of like length."""
    lines = _broken(text, font, width)
    for narrower in range(width, 0, -2):
        tighter = _broken(text, font, narrower)
        if len(tighter) > len(lines) or max(map(font.getlength, tighter)) > width:
            break
        lines = tighter
    return lines


def _broken(text: str, font: Font, width: int) -> list[str]:
    """Break a text at spaces, a word that is too long also after underscores; the last line takes what is left."""
    lines = [""]
    for word in text.split():
        fits = font.getlength(word) <= width
        for number, piece in enumerate([word] if fits else re.findall(r"[^_]*_+|[^_]+", word)):
            longer = f"{lines[-1]}{'' if number else ' '}{piece}".strip()
            if lines[-1] and font.getlength(longer) > width and len(lines) < COLUMN_LINES:
                lines.append(piece)
            else:
                lines[-1] = longer
    return lines


def _centred(
    draw: ImageDraw.ImageDraw, text: str, font: Font, colour: tuple[int, int, int], corner: tuple[int, int], width: int
) -> None:
    text = _cut(draw, text, font, width)
    draw.text((corner[0] + (width - draw.textlength(text, font)) / 2, corner[1] + 2), text, colour, font)


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, picture: Image.Image | None, corner: tuple[int, int], side: int
) -> None:
    if picture is None:
        draw.rectangle((*corner, corner[0] + side - 1, corner[1] + side - 1), fill=EMPTY)
        return
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    shown = picture.convert("RGB")
    if size != picture.size:
        shown = shown.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(shown, (corner[0] + (side - size[0]) // 2, corner[1] + (side - size[1]) // 2))
