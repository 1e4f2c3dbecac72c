"""How a picture is marked when it leaves: one object for the commands, the server, the page and the benchmark.

Metadata is always written. The invisible watermark and the signed manifest are the caller's choice. Marking makes
a new picture: the pipeline's own output is not touched, so that a harmless prompt's picture *is* the plain
pipeline's until a file of it is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from counterpoint.png import PictureRecord
from counterpoint.provenance import manifest, watermark
from counterpoint.provenance.files import EDITED, SYNTHETIC, FileFormat, encode_picture


@dataclass(frozen=True, kw_only=True)
class Marking:
    """What each file gets.

    Raises:
        InvalidInput: See `encode`.
    """

    watermark_key: bytes | None = watermark.DEFAULT_KEY
    """Names the invisible mark's pattern; None = no invisible mark."""
    credentials: manifest.Credentials | None = None
    """Who signs the C2PA manifest; None = no manifest."""

    def has_room(self, image: Image.Image) -> bool:
        """Whether the picture can hold what it is to get: an invisible mark needs sides from 64 pixels."""
        return self.watermark_key is None or min(image.size) >= watermark.SMALLEST_SIDE

    def encode(
        self,
        image: Image.Image,
        record: PictureRecord,
        file_format: FileFormat = "png",
        *,
        quality: int = 90,
        is_edit: bool = False,
    ) -> bytes:
        """Return the marked file; without a manifest the same picture and record give the same bytes.

        Args:
            image: RGB picture; it is not changed.
            record: How it was made.
            file_format: png, jpeg or webp.
            quality: 0..100 for jpeg and webp.
            is_edit: Whether it began as somebody's picture.

        Raises:
            InvalidInput: An argument is not allowed, or the picture is too small for the invisible mark.
            SafetyFailure: The picture drowns the mark, or could not be signed.
        """
        source_type = EDITED if is_edit else SYNTHETIC
        marked = image if self.watermark_key is None else watermark.embed(image, key=self.watermark_key)
        content = encode_picture(marked, record, file_format, quality=quality, source_type=source_type)
        if self.credentials is None:
            return content
        return manifest.sign(content, file_format, self.credentials, source_type=source_type)


METADATA_ONLY = Marking(watermark_key=None)
"""For contact sheets, and for pictures that are measured: their pixels stay."""
