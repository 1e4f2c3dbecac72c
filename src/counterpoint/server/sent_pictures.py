"""Pictures that callers send: inside the request only, and looked at before they are unpacked."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from counterpoint.interfaces import InvalidInput

FORMATS = ("PNG", "JPEG", "WEBP")
DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Files of a request to edit, as they came."""

    image: bytes = field(repr=False)
    mask: bytes | None = field(repr=False)


def decode_picture(field: str, text: str, *, max_pixels: int, bare: bool = False) -> list[Image.Image]:
    """Return what the picture of a data URL may look like, upright, RGB.

    That is one picture; of one with transparency three: what lies under it, and the whole before white and before
    black, as the eye sees it on a page. A shape may be in the transparency alone.

    Args:
        field: Where it comes from, for messages.
        text: data:image/png;base64,... (or jpeg, webp).
        max_pixels: Most pixels; the header is read before anything is decoded.
        bare: Whether base64 without the head of a data URL counts, too.

    Raises:
        InvalidInput: It is an address, no picture, animated, or too large.
    """
    allowed = f"data:image/png;base64,... (or jpeg, webp): {_allowed(max_pixels)}"
    head = DATA_URL.match(text)
    if head is None and not bare:
        raise InvalidInput(field, text[:40], allowed)
    try:
        content = base64.b64decode(text[head.end() if head else 0 :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(field, "bytes that are no base64", allowed) from error
    picture = _open(field, content, allowed, max_pixels)
    plain = picture.convert("RGB")
    if picture.mode != "RGBA":
        return [plain]
    pages = (Image.new("RGBA", picture.size, colour) for colour in ("white", "black"))
    return [plain, *(Image.alpha_composite(page, picture).convert("RGB") for page in pages)]


def read_picture(field: str, content: bytes, *, max_pixels: int) -> Image.Image:
    """Return the picture of a file, upright, RGB; what lies under transparency is shown.

    Args:
        field: Where it comes from, for messages.
        content: A PNG, JPEG or WebP file.
        max_pixels: Most pixels; the header is read before anything is decoded.

    Raises:
        InvalidInput: It is no such picture, animated, or too large.
    """
    return _open(field, content, _file_allowed(max_pixels), max_pixels).convert("RGB")


def read_mask(content: bytes, *, size: tuple[int, int], max_pixels: int) -> Image.Image:
    """Return a mask, L: white where the file is wholly transparent, which is where the picture changes.

    Args:
        content: A PNG or WebP file with transparency.
        size: The picture's size, which must be the mask's.
        max_pixels: Most pixels.

    Raises:
        InvalidInput: It is no such picture, has another size, or nothing in it is transparent.
    """
    mask = _open("mask", content, _file_allowed(max_pixels), max_pixels)
    if mask.size != size:
        raise InvalidInput("mask", f"{mask.width}x{mask.height} pixels", f"{size[0]}x{size[1]} pixels, as the picture")
    white = mask.getchannel("A").point(lambda alpha: 255 if alpha == 0 else 0) if mask.mode == "RGBA" else None
    if white is None or white.getbbox() is None:
        raise InvalidInput("mask", "nothing transparent", "a PNG or WebP that is transparent where the picture changes")
    return white


def _allowed(max_pixels: int) -> str:
    return f"one still picture of at most {max_pixels} pixels; nothing is fetched"


def _file_allowed(max_pixels: int) -> str:
    return f"a PNG, JPEG or WebP file: {_allowed(max_pixels)}"


def _open(field: str, content: bytes, allowed: str, max_pixels: int) -> Image.Image:
    """Return the picture upright, RGBA where it has transparency, else RGB."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > max_pixels or getattr(image, "n_frames", 1) != 1:
                raise InvalidInput(field, f"{image.width}x{image.height}", allowed)
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits a pixel: Pillow would cut them off, and show white
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:  # a stranger's bytes: parsers raise all kinds
        raise InvalidInput(field, "bytes that are no such picture", allowed) from error
