"""Picture files say that they are synthetic; strangers' files are read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.interfaces import InvalidInput
from counterpoint.png import PictureRecord, prompt_sha256, read_metadata
from counterpoint.provenance.files import SYNTHETIC, encode_picture
from counterpoint.provenance.inspection import inspect_file
from counterpoint.provenance.watermark import embed

PROMPT = 'a chef <with> "a knife" & naïve 画'


def _record(**extra: Any) -> PictureRecord:
    fields: dict[str, Any] = {
        "prompt_sha256": prompt_sha256(PROMPT), "seed": 7, "steps": 30, "guidance_scale": 7.5,
        "scheduler": "DDIMScheduler", "model": "embedded", "report": {"action": "steered", "weight": 0.75, "tau": 0.2},
    }  # fmt: skip
    return PictureRecord(**{**fields, **extra})


def _picture(side: int = 64) -> Image.Image:
    return Image.linear_gradient("L").convert("RGB").resize((side, side))


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_the_record_and_the_source_survive_the_file(file_format: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.picture"
    record = _record(prompt=PROMPT)
    path.write_bytes(encode_picture(_picture(), record, file_format))
    found = inspect_file(path)
    assert (found.file_format, found.width, found.source_type) == (file_format, 64, SYNTHETIC)
    assert found.is_synthetic and not found.has_watermark
    assert found.record is not None and found.record["prompt"] == PROMPT
    assert found.record == json.loads(json.dumps(found.record)) and found.record["report"] == record.report
    assert encode_picture(_picture(), record, file_format) == path.read_bytes()


def test_png_files_stay_what_the_other_reader_knows(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_picture(_picture(), _record()))
    assert read_metadata(path) == _record()
    with Image.open(path) as image:
        assert image.tobytes() == _picture().tobytes()


def test_no_word_of_the_prompt_is_in_the_file_unless_asked() -> None:
    for file_format in ("png", "jpeg", "webp"):
        content = encode_picture(_picture(), _record(), file_format)  # type: ignore[arg-type]
        assert not any(word.encode() in content for word in ("chef", "knife", "naïve", "画"))


def test_the_watermark_tells_when_the_metadata_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    embed(_picture(128)).save(path, quality=75)
    found = inspect_file(path)
    assert found.is_synthetic and found.has_watermark and found.source_type is None and found.record is None
    _picture(128).save(path)
    assert not inspect_file(path).is_synthetic


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"no xml", b"<a", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff\xfe\x00",
        b'<a xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description/></a>',
        b'<a xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:c="urn:counterpoint:"'
        b' c:record="[[[["/></a>',
    ],
)  # fmt: skip
def test_strange_metadata_says_nothing(packet: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    _picture().save(path, xmp=packet)
    found = inspect_file(path)
    assert found.record is None and not found.is_synthetic


def test_what_is_no_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encode_picture(_picture(), _record())
    for name, content in (("text.png", b"no picture"), ("empty.png", b""), ("cut.png", whole[: len(whole) // 2])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput, match="file"):
            inspect_file(tmp_path / name)
    with pytest.raises(InvalidInput, match="file"):
        inspect_file(tmp_path / "missing.png")
    (tmp_path / "a.png").write_bytes(whole)
    monkeypatch.setattr("counterpoint.provenance.inspection.MOST_PIXELS", 64 * 64 - 1)
    with pytest.raises(InvalidInput, match="pixels"):
        inspect_file(tmp_path / "a.png")


def test_wrong_arguments_name_the_field() -> None:
    for field, arguments in (("file_format", ("gif",)), ("quality", ("jpeg", 101))):
        with pytest.raises(InvalidInput, match=field):
            encode_picture(_picture(), _record(), arguments[0], quality=(*arguments, 90)[1])  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="record"):
        encode_picture(_picture(), _record(prompt="a" * 70_000))


def test_the_command_reads_it_all(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_picture(embed(_picture(128)), _record(), "jpeg"))
    told = json.loads(CliRunner().invoke(app, ["inspect", str(path), "--json"]).stdout)
    assert told["has_watermark"] and told["source_type"] == SYNTHETIC and told["record"]["seed"] == 7
    lines = CliRunner().invoke(app, ["inspect", str(path)]).stdout
    assert "synthetic   yes" in lines and "steered" in lines
    other = CliRunner().invoke(app, ["inspect", str(path), "--watermark-key", "other", "--json"])
    assert not json.loads(other.stdout)["has_watermark"]
    assert CliRunner().invoke(app, ["inspect", str(tmp_path / "missing.png")]).exit_code == 2
