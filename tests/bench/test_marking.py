"""The measurement of marks: what counts as marked, and all doors once."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from counterpoint.bench import marking
from counterpoint.interfaces import InvalidInput
from counterpoint.png import PictureRecord
from counterpoint.provenance.files import EDITED
from counterpoint.provenance.marking import METADATA_ONLY, Marking

RECORD = PictureRecord(
    prompt_sha256="", seed=0, steps=1, guidance_scale=1.0, scheduler="", model="", packages={}
)  # fmt: skip
PICTURE = Image.linear_gradient("L").resize((128, 128)).convert("RGB")


def bare(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_only_what_is_there_is_counted(tmp_path: Path) -> None:
    inspector = marking.Inspector(tmp_path)
    marked = Marking().encode(PICTURE, RECORD)
    for door, files in {
        "all": [marked, Marking().encode(PICTURE, RECORD, "webp", is_edit=True)],
        "half": [marked, bare(PICTURE)],
        "metadata": [METADATA_ONLY.encode(PICTURE, RECORD)],
        "pixels": [bare(Image.open(io.BytesIO(marked)))],
        marking.RUNNER: [METADATA_ONLY.encode(PICTURE, RECORD)],
    }.items():
        for file in files:
            inspector.look(door, file)
    told = {name: (figure.value, figure.n) for name, figure in inspector.figures().items()}
    assert told == {
        "all: metadata": (1, 2), "all: watermark": (1, 2), "half: metadata": (0.5, 2), "half: watermark": (0.5, 2),
        "metadata: metadata": (1, 1), "metadata: watermark": (0, 1), "pixels: metadata": (0, 1),
        "pixels: watermark": (1, 1), "runner: metadata": (1, 1),
    }  # fmt: skip


def test_a_source_without_a_record_is_not_metadata(tmp_path: Path) -> None:
    packet = METADATA_ONLY.encode(PICTURE, RECORD, is_edit=True)
    with Image.open(io.BytesIO(packet)) as image:
        assert EDITED in str(image.info)
        buffer = io.BytesIO()
        xmp = str(image.info["xmp"] if "xmp" in image.info else image.info["XML:com.adobe.xmp"])
        image.save(buffer, "JPEG", xmp=xmp.replace("counterpoint:record", "counterpoint:other").encode())
    inspector = marking.Inspector(tmp_path)
    inspector.look("door", buffer.getvalue())
    assert inspector.figures()["door: metadata"].value == 0


def test_what_is_no_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="file"):
        marking.Inspector(tmp_path).look("door", b"no picture")


@pytest.mark.slow
def test_all_doors_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "marking.json"
    monkeypatch.setattr(sys, "argv", ["marking", "--count", "2", "--steps", "2", "--out", str(out)])
    marking.main()
    figures = json.loads(out.read_text())["figures"]
    assert {name.split(":")[0] for name in figures} == {
        "command line", "command line, jpg", "command line, webp", "command line, contact sheets",
        "server, png", "server, jpeg", "server, webp",
        "server, streamed", "server, edits", "page", "runner",
    }  # fmt: skip
    assert all(figure["value"] == 1 and figure["n"] >= 2 for figure in figures.values())
