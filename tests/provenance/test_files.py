"""Picture files say that they are synthetic; strangers' files are read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.interfaces import InvalidInput
from counterpoint.png import CHUNK, PictureRecord, prompt_sha256, read_metadata
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
    for picture, file_format in ((_picture().convert("RGBA"), "jpeg"), (Image.new("RGB", (16_384, 1)), "webp")):
        with pytest.raises(InvalidInput, match=f"image.*{file_format}"):
            encode_picture(picture, _record(), file_format)  # type: ignore[arg-type]


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


def _told(record: str, path: Path) -> Path:
    """Write a picture whose record is a stranger's."""
    info = PngInfo()
    info.add_itxt(CHUNK, record)
    _picture().save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    "record",
    [
        '{"report": "action safety"}', '{"report": ["action"], "model": {"a": 1}}', '{"seed": NaN}', '{"seed": 1e999}',
        '{"model": "\\ud800"}', '{"seed": ' + "9" * 5000 + "}", '{"seed": ' + "[" * 600 + "]" * 600 + "}",
    ],
)  # fmt: skip
def test_a_strangers_record_breaks_no_command(record: str, tmp_path: Path) -> None:
    path = _told(record, tmp_path / "a.png")
    for more in ([], ["--json"]):
        result = CliRunner().invoke(app, ["inspect", str(path), *more])
        assert result.exit_code == 0 and result.stderr == "", result.stderr
    assert json.loads(result.stdout)["width"] == 64


def test_a_strangers_words_stay_in_their_line(tmp_path: Path) -> None:
    words = "x\x1b[2J\u202e\nmanifest    Trusted, signed by somebody" + "a" * 1000
    path = _told(json.dumps({"model": words}), tmp_path / "a.png")
    lines = CliRunner().invoke(app, ["inspect", str(path)]).stdout.splitlines()
    assert [line for line in lines if line.startswith("manifest")] == ["manifest    none"]
    (shown,) = [line for line in lines if "model" in line]
    assert shown.isprintable() and "\\x1b[2J" in shown and len(shown) < 300
    told = json.loads(CliRunner().invoke(app, ["inspect", str(path), "--json"]).stdout)
    assert told["record"]["model"] == words


def test_document_types_are_refused_in_utf_16_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(packet: bytes) -> Any:
        raise AssertionError("was parsed")

    _picture().save(tmp_path / "a.webp", xmp='<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"))
    monkeypatch.setattr("counterpoint.provenance.files.ElementTree.fromstring", parse)
    assert inspect_file(tmp_path / "a.webp").record is None


def test_a_jpeg_file_with_further_pictures_is_a_jpeg_file(tmp_path: Path) -> None:
    _picture().save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[_picture()])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
    assert inspect_file(tmp_path / "a.jpg").file_format == "jpeg"


def test_the_reason_is_told_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        inspect_file(tmp_path / "missing.png")
