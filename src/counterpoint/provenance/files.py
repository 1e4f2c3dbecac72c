"""Picture files that say they are synthetic and how they were made: PNG, JPEG and WebP.

All three carry one XMP packet with

    Iptc4xmpExt:DigitalSourceType   IPTC's term for pictures made, or edited, by a trained model
    counterpoint:record             the `PictureRecord` as JSON

PNG files carry the two text chunks of `counterpoint.png` as well. XMP is what libraries and platforms
read; it is lost when a picture is saved again without it, hence the watermark.
"""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import zlib
from typing import Any, Literal, get_args
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import Image

from counterpoint.interfaces import InvalidInput
from counterpoint.png import CHUNK, PictureRecord, encode_png

FileFormat = Literal["png", "jpeg", "webp"]
SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OURS = "urn:counterpoint:"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PNG_XMP = "XML:com.adobe.xmp"
PNG_HEADER_BYTES = 33
"""Signature and IHDR: where further chunks of a PNG file may begin."""
MOST_XMP_BYTES = 60_000
"""One segment of a JPEG file holds 65,535 bytes."""


def encode_picture(
    image: Image.Image,
    record: PictureRecord,
    file_format: FileFormat = "png",
    *,
    quality: int = 90,
    source_type: str = SYNTHETIC,
) -> bytes:
    """Return the file's bytes; the same picture and record give the same bytes.

    Args:
        image: RGB picture.
        record: How it was made.
        file_format: png, jpeg or webp.
        quality: 0..100 for jpeg and webp (0 worst); png is lossless and takes no notice.
        source_type: IPTC's term: SYNTHETIC, or EDITED for a picture that began as somebody's.

    Raises:
        InvalidInput: An argument is not allowed, or the record is too long for a file.
    """
    if file_format not in get_args(FileFormat):
        raise InvalidInput("file_format", file_format, ", ".join(get_args(FileFormat)))
    if not 0 <= quality <= 100:
        raise InvalidInput("quality", quality, "0..100")
    packet = _packet(record, source_type)
    if len(packet) > MOST_XMP_BYTES:
        raise InvalidInput("record", f"{len(packet)} bytes", f"at most {MOST_XMP_BYTES} bytes as XMP")
    if file_format == "png":
        return _with_chunk(encode_png(image, record), packet)
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=file_format, quality=quality, xmp=packet)
    except (OSError, ValueError) as error:
        given, allowed = (
            f"{image.mode}, {image.width}x{image.height}",
            f"an RGB picture of a size that {file_format} holds",
        )
        raise InvalidInput("image", given, allowed) from error
    return buffer.getvalue()


def read_source_type(image: Image.Image) -> str | None:
    """Return the file's `DigitalSourceType`, None where it names none."""
    return _xmp_values(image).get(f"{{{IPTC_EXTENSION}}}DigitalSourceType")


def read_record(image: Image.Image) -> dict[str, Any] | None:
    """Return the record's fields as the file has them, None where it holds none that can be read and said again."""
    text = getattr(image, "text", {}).get(CHUNK) or _xmp_values(image).get(f"{{{OURS}}}record")
    try:
        fields = json.loads(text) if text else None
        json.dumps(fields, allow_nan=False)
    except (ValueError, RecursionError):  # no JSON, not finite, a number of thousands of digits, nested without end
        return None
    return fields if isinstance(fields, dict) else None


def _packet(record: PictureRecord, source_type: str) -> bytes:
    fields = json.dumps(dataclasses.asdict(record), allow_nan=False)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""'
        f' xmlns:Iptc4xmpExt="{IPTC_EXTENSION}" xmlns:counterpoint="{OURS}"'
        f' Iptc4xmpExt:DigitalSourceType="{source_type}" counterpoint:record={quoteattr(fields)}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _with_chunk(png: bytes, packet: bytes) -> bytes:
    """Insert the XMP packet as an international text chunk, as the PNG specification says."""
    content = b"iTXt" + PNG_XMP.encode() + b"\0\0\0\0\0" + packet  # not compressed, no language, no translation
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:PNG_HEADER_BYTES] + chunk + png[PNG_HEADER_BYTES:]


def _xmp_values(image: Image.Image) -> dict[str, str]:
    """Return the simple values of a file's XMP, by qualified name; files of strangers may hold anything."""
    packet = image.info.get("xmp") or image.info.get(PNG_XMP) or b""
    packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else packet
    # A document type could define entities that grow without end; in UTF-16 there are zeros between its letters.
    if not packet or b"<!" in packet.replace(b"\0", b""):
        return {}
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n"))
    except (ElementTree.ParseError, ValueError):
        return {}
    values: dict[str, str] = {}
    for description in root.iter(f"{{{RDF}}}Description"):
        values |= description.attrib
        values |= {child.tag: child.text for child in description if child.text and child.text.strip()}
    return values
