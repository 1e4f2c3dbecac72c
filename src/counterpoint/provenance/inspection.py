"""Everything a picture file says of its provenance, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from counterpoint.interfaces import InvalidInput
from counterpoint.provenance import manifest, watermark
from counterpoint.provenance.files import EDITED, SYNTHETIC, read_record, read_source_type

FORMATS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 64_000_000
"""Pixels that are decoded; a small file may unpack to any size."""
FORMAT_NAMES = {"MPO": "jpeg"}
"""Pillow's names that are not the format's: a JPEG file with further pictures behind it, as phones write."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What one file says."""

    file_format: str
    width: int
    height: int
    is_synthetic: bool
    """True where metadata or a whole manifest names a trained model as the source, or the pixels carry the mark."""
    source_type: str | None
    """IPTC's DigitalSourceType, None where the file names none."""
    record: dict[str, Any] | None
    """Fields of the `PictureRecord`, as the file has them: anyone can write metadata."""
    watermark_z: float
    """Strength of the mark in standard deviations, see `watermark.detect`."""
    has_watermark: bool
    manifest: manifest.Manifest | None
    """The C2PA manifest; None where the file holds none, or nobody can read it here."""
    reads_manifests: bool
    """Whether the extra that reads manifests is installed."""


def inspect_file(path: Path, *, key: bytes = watermark.DEFAULT_KEY) -> Inspection:
    """Read a picture file.

    Args:
        path: PNG, JPEG or WebP.
        key: The watermark's key, where it is not the default one.

    Raises:
        InvalidInput: The file cannot be read as a picture, or is too large.
    """
    allowed = f"a {', '.join(FORMATS)} file of at most {MOST_PIXELS:,} pixels"
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InvalidInput("file", f"{image.width}x{image.height} pixels", allowed)
            image.load()
            return _inspect(image, path.read_bytes(), key)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InvalidInput):
            raise
        reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise InvalidInput("file", str(path), f"{allowed}{reason}") from error


def _inspect(image: Image.Image, content: bytes, key: bytes) -> Inspection:
    source_type, strength = read_source_type(image), watermark.detect(image, key=key)
    file_format = FORMAT_NAMES.get(str(image.format), str(image.format).lower())
    found = manifest.read(content, file_format) if manifest.can_read() else None
    named = {source_type, *(found.source_types if found is not None and found.is_whole else ())}
    return Inspection(
        file_format=file_format,
        width=image.width,
        height=image.height,
        is_synthetic=bool(named & {SYNTHETIC, EDITED}) or strength >= watermark.THRESHOLD,
        source_type=source_type,
        record=read_record(image),
        watermark_z=strength,
        has_watermark=strength >= watermark.THRESHOLD,
        manifest=found,
        reads_manifests=manifest.can_read(),
    )
