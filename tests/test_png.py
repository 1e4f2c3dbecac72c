"""PNG files carry their record, and the prompt only when asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from counterpoint.interfaces import Cost, InvalidInput, SafetyReport
from counterpoint.png import PictureRecord, encode_png, prompt_sha256, read_metadata, require_new, save_png

PROMPT = "a chef with a knife in a room, naïve 画"
REPORT = SafetyReport(
    action="steered", safety=0.5, weight=0.75, tau=0.2, steps_mixed=24, score=0.9, categories={"violence": 0.9},
    embedding="WordRemoval", coupling="joined", cost=Cost(denoiser_rows=120, plain_rows=60, seconds=1.5),
)  # fmt: skip


def _record(**extra: object) -> PictureRecord:
    fields: dict[str, object] = {
        "prompt_sha256": prompt_sha256(PROMPT), "seed": 7, "steps": 30, "guidance_scale": 7.5,
        "scheduler": "DDIMScheduler", "model": "a, b", "report": dataclasses.asdict(REPORT),
    }  # fmt: skip
    return PictureRecord(**{**fields, **extra})  # type: ignore[arg-type]


def _picture() -> Image.Image:
    return Image.linear_gradient("L").convert("RGB").resize((32, 24))


def test_a_record_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_png(_picture(), path, _record())
    assert read_metadata(path) == _record()
    with Image.open(path) as image:
        assert image.tobytes() == _picture().tobytes()


def test_a_sheets_panels_survive_the_file(tmp_path: Path) -> None:
    record = _record(report=None, panels=({"level": {"safety": 0.0}}, {"level": {"safety": 1.0}}))
    save_png(_picture(), tmp_path / "a.png", record)
    assert read_metadata(tmp_path / "a.png") == record


def test_no_word_of_the_prompt_is_in_the_file_unless_asked() -> None:
    content = encode_png(_picture(), _record())
    assert not any(word.encode() in content for word in ("chef", "knife", "room", "naïve", "画"))
    assert b"a chef with a knife" in encode_png(_picture(), _record(prompt=PROMPT))


def test_the_parameters_chunk_is_prompt_then_settings(tmp_path: Path) -> None:
    line = _record().parameters((32, 24))
    assert "\n" not in line
    assert line.startswith('Steps: 30, Sampler: DDIMScheduler, CFG scale: 7.5, Seed: 7, Size: 32x24, Model: "a, b"')
    save_png(_picture(), tmp_path / "a.png", _record(prompt=PROMPT))
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["parameters"] == f"{PROMPT}\n{line}"  # type: ignore[attr-defined]


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(InvalidInput, match="overwrite"):
        save_png(_picture(), path, _record())
    with pytest.raises(InvalidInput, match="overwrite"):
        require_new([path], overwrite=False)
    assert path.read_bytes() == b"mine"
    save_png(_picture(), path, _record(), overwrite=True)
    assert read_metadata(path).seed == 7


def test_folders_are_made_and_a_folder_is_no_file(tmp_path: Path) -> None:
    require_new([tmp_path / "new" / "a.png"], overwrite=False)
    assert (tmp_path / "new").is_dir()
    with pytest.raises(InvalidInput, match="folder"):
        require_new([tmp_path], overwrite=True)


def test_foreign_files_and_versions_are_refused(tmp_path: Path) -> None:
    plain, text, future = tmp_path / "plain.png", tmp_path / "text.png", tmp_path / "future.png"
    _picture().save(plain)
    text.write_text("no picture")
    save_png(_picture(), future, _record(schema_version=2))
    for path in (plain, text, future, tmp_path / "missing.png"):
        with pytest.raises(InvalidInput, match="picture"):
            read_metadata(path)
