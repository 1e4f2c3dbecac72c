"""How a picture is marked when it leaves: one object for the commands, the server, the page and the benchmark.

Metadata is always written. The invisible watermark and the signed manifest are the caller's choice. Marking makes
a new picture: the pipeline's own output is not touched, so that a harmless prompt's picture *is* the plain
pipeline's until a file of it is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from counterpoint.interfaces import InvalidInput
from counterpoint.png import PictureRecord
from counterpoint.provenance import manifest, watermark
from counterpoint.provenance.files import EDITED, SYNTHETIC, FileFormat, encode_picture

LEAST_QUALITY: dict[FileFormat, int] = {"jpeg": 20, "webp": 40}
"""Below, the invisible mark does not survive the file, or would have to be seen: docs/provenance.md has figures."""


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
            quality: 0..100 for jpeg and webp; from LEAST_QUALITY on where the picture gets an invisible mark.
            is_edit: Whether it began as somebody's picture.

        Raises:
            InvalidInput: An argument is not allowed, or the picture is too small for the invisible mark.
            SafetyFailure: The picture drowns the mark, or could not be signed.
        """
        source_type = EDITED if is_edit else SYNTHETIC
        marked = self._marked(image, file_format, quality)
        content = encode_picture(marked, record, file_format, quality=quality, source_type=source_type)
        if self.credentials is None:
            return content
        return manifest.sign(content, file_format, self.credentials, source_type=source_type)

    def _marked(self, image: Image.Image, file_format: FileFormat, quality: int) -> Image.Image:
        """Return the picture with the invisible mark, as strong as this file needs it."""
        if self.watermark_key is None:
            return image
        if (least := LEAST_QUALITY.get(file_format)) is None:  # lossless
            return watermark.embed(image, key=self.watermark_key)
        if not least <= quality <= 100:
            raise InvalidInput("quality", quality, f"{least}..100 for {file_format} with the invisible mark")
        return watermark.embed(image, key=self.watermark_key, file=(file_format.upper(), quality))


METADATA_ONLY = Marking(watermark_key=None)
"""For contact sheets, and for pictures that are measured: their pixels stay."""
