"""Pictures that callers send: inside the request only, and looked at before they are unpacked."""

from __future__ import annotations

import base64
import binascii
import io
import re

from PIL import Image, UnidentifiedImageError

from counterpoint.interfaces import InvalidInput

FORMATS = ("PNG", "JPEG", "WEBP")
DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,")


def decode_picture(field: str, text: str, *, max_pixels: int, bare: bool = False) -> Image.Image:
    """Return the picture of a data URL.

    Args:
        field: Where it comes from, for messages.
        text: data:image/png;base64,... (or jpeg, webp).
        max_pixels: Most pixels; the header is read before anything is decoded.
        bare: Whether base64 without the head of a data URL counts, too.

    Raises:
        InvalidInput: It is an address, no picture, animated, or too large.
    """
    allowed = (
        f"data:image/png;base64,... (or jpeg, webp): one still picture of at most {max_pixels} pixels; "
        "nothing is fetched"
    )
    head = DATA_URL.match(text)
    if head is None and not bare:
        raise InvalidInput(field, text[:40], allowed)
    try:
        content = base64.b64decode(text[head.end() if head else 0 :], validate=True)
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > max_pixels or getattr(image, "n_frames", 1) != 1:
                raise InvalidInput(field, f"{image.width}x{image.height}", allowed)
            return image.convert("RGB")
    except InvalidInput:
        raise
    except (
        binascii.Error, OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError
    ) as error:  # fmt: skip
        raise InvalidInput(field, "bytes that are no such picture", allowed) from error
