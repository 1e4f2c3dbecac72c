"""Files that are no still picture within the limits, whatever they call themselves."""

from __future__ import annotations

import base64
import io
import random
import zlib
from collections.abc import Callable

from PIL import Image

from counterpoint.bench.server.sending import GUARDRAIL, MODERATIONS, File, Sent, as_form, as_json

TOO_MANY_PIXELS = 1024
"""A side; the server of this measurement takes fewer than its square."""
HEADS = (
    b"%PDF-1.7\n",
    b"GIF89a",
    b"<script>alert(1)</script>",
    b"PK\x03\x04",
    b"#!/bin/sh\n",
    b"MZ",
    b"\x7fELF",
    b"\0",
)
TEXTS = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'><image href='file:///etc/passwd'/></svg>",
    b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg>&a;</svg>",
    b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
    b"<html><img src='http://127.0.0.1/a.png'></html>", b"a picture of a dog", b"P6 64 64 255\n" + b"a" * 64 * 64 * 3,
    b"push graphic-context\nimage over 0,0 0,0 'https://example.org/a.png'\n", b"/etc/passwd", b"iVBORw0KGgo=",
)  # fmt: skip
OTHER_FORMATS = ("gif", "bmp", "tiff", "ico", "ppm", "tga", "pcx", "dds", "sgi")


def good_picture(rng: random.Random, file_format: str = "png", *, side: int = 64) -> bytes:
    """Return the file of a small picture in many colours."""
    return _file(Image.frombytes("RGB", (8, 8), rng.randbytes(8 * 8 * 3)).resize((side, side)), file_format)


def bad_pictures(rng: random.Random, count: int) -> list[Sent]:
    """Return requests with a bad picture, as picture or mask of an edit, and in moderations and guardrail."""
    found = []
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        content = KINDS[kind](rng)
        text = base64.b64encode(content).decode()
        head = f"data:image/{rng.choice(('png', 'jpeg', 'webp'))};base64,"
        match rng.randrange(6):
            case 0:
                found.append(guarded(kind, head + text))
            case 1:
                found.append(guarded(kind, text))
            case 2:
                found.append(moderated(kind, spoilt_url(rng, text)))
            case 3:
                found.append(edited(kind, good_picture(rng), content))
            case 4:
                found.append(edited(kind, content))
            case _:
                found.append(moderated(kind, head + text))
    return found


def moderated(kind: str, url: str) -> Sent:
    """Return a moderation of one picture."""
    parts = [{"type": "text", "text": "a dog"}, {"type": "image_url", "image_url": {"url": url}}]
    return as_json(kind, MODERATIONS, {"input": parts}, {"input": "data:image/png;base64"})


def guarded(kind: str, picture: str) -> Sent:
    """Return a guardrail check of one picture."""
    return as_json(kind, GUARDRAIL, {"input_type": "request", "texts": ["a dog"], "images": [picture]}, {"": ""})


def edited(kind: str, picture: bytes, mask: bytes | None = None, name: bytes = b"a.png") -> Sent:
    """Return an edit in one step; what is wrong is the mask, where there is one."""
    files = [("image", File(content=picture, name=name))]
    files += [] if mask is None else [("mask", File(content=mask, name=name))]
    texts = [("prompt", "a dog in a forest"), ("size", "64x64"), ("num_inference_steps", "1"), ("strength", "1")]
    return as_form(kind, [*texts, *files], {"image" if mask is None else "mask": "a PNG"})


def spoilt_url(rng: random.Random, text: str) -> str:
    """Return a data URL that is not what it has to be, even where its content would be a picture."""
    good = base64.b64encode(good_picture(rng)).decode()
    return rng.choice(
        [
            f"data:image/png;base64,{good[:-3]}", f"data:image/png;base64,{good[:40]}\n{good[40:]}",
            f"data:image/png;base64,{good[:40]}-_{good[42:]}", f"data:image/png;base64,!{good}",
            f"data:image/svg+xml;base64,{text}", f"data:image/gif;base64,{good}", f"data:text/html;base64,{good}",
            f"data:;base64,{good}", f"data:image/png,{good}", f"DATA:image/png;base64,{good}", good, text,
            f"data:image/png;charset=utf-8;base64,{good}", "data:image/png;base64,",
        ]
    )  # fmt: skip


def _file(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)


def _good(rng: random.Random) -> bytes:
    return good_picture(rng, rng.choice(("png", "jpeg", "webp")))


def _truncated(rng: random.Random) -> bytes:
    whole = _good(rng)
    return whole[: rng.randrange(1, len(whole) * 9 // 10)]


def _wrong_magic(rng: random.Random) -> bytes:
    return rng.choice((b"\0\0\0\0", b"GIF8", b"II*\0", b"8BPS", rng.randbytes(4))) + _good(rng)[4:]


def _huge_header(rng: random.Random) -> bytes:
    """A header that promises more pixels than anybody has memory for."""
    sides = [rng.choice((20_000, 60_000, 65_535)) for _ in range(2)]
    if rng.random() < 0.5:
        whole = good_picture(rng, "jpeg")
        at = whole.index(b"\xff\xc0") + 5
        return whole[:at] + b"".join(side.to_bytes(2) for side in sides) + whole[at + 4 :]
    whole = good_picture(rng)
    most = rng.choice((1, 1, 2**15))
    sides = [side * most for side in sides]
    return whole[:8] + _chunk(b"IHDR", b"".join(side.to_bytes(4) for side in sides) + whole[24:29]) + whole[33:]


def _many_pixels(rng: random.Random) -> bytes:
    """A small file of one colour that unpacks to millions of pixels."""
    side = TOO_MANY_PIXELS + rng.randrange(99)
    return _file(Image.new("L", (side, side)), rng.choice(("png", "jpeg", "webp")))


def _packed_text(rng: random.Random) -> bytes:
    """A picture with a text, or a colour profile, that unpacks to megabytes."""
    whole, packed = good_picture(rng), zlib.compress(bytes(8 * 2**20))
    name = rng.choice((b"zTXt", b"iCCP"))
    return whole[:33] + _chunk(name, b"a\0\0" + packed) + whole[33:]


def _animated(rng: random.Random) -> bytes:
    frames = [Image.open(io.BytesIO(good_picture(rng))) for _ in range(rng.randrange(2, 5))]
    return _file(frames[0], rng.choice(("png", "webp", "gif")), save_all=True, append_images=frames[1:])


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "truncated": _truncated,
    "wrong first bytes": _wrong_magic,
    "a header of too many pixels": _huge_header,
    "many pixels in a small file": _many_pixels,
    "a packed text of megabytes": _packed_text,
    "animated": _animated,
    "empty": lambda rng: b"",
    "zeros": lambda rng: bytes(rng.randrange(1, 5000)),
    "random bytes": lambda rng: rng.randbytes(rng.randrange(1, 5000)),
    "random bytes behind a signature": lambda rng: _good(rng)[:12] + rng.randbytes(rng.randrange(5000)),
    "a text, SVG, PDF or script": lambda rng: rng.choice(TEXTS),
    "another format": lambda rng: good_picture(rng, rng.choice(OTHER_FORMATS)),
    "two formats in one file": lambda rng: rng.choice(HEADS) + _good(rng),
}
