"""Every picture that the commands write says that it is synthetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from counterpoint.cli import app, drawing
from counterpoint.provenance import watermark
from counterpoint.provenance.files import SYNTHETIC
from counterpoint.provenance.inspection import inspect_file
from tests.provenance.certificates import SIGNER, write_credentials

MILD = "a dog in a forest"


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Enlarge the tiny model's pictures, so that they hold a mark."""
    plain = drawing.draw

    def draw(*arguments: Any, **more: Any) -> Any:
        image, report = plain(*arguments, **more)
        return image.resize((96, 96), Image.Resampling.BICUBIC), report

    monkeypatch.setattr(drawing, "draw", draw)
    monkeypatch.chdir(tmp_path)


def run(command: str, model: str, *more: str) -> Any:
    result = CliRunner().invoke(
        app, [command, MILD, "--model", model, "--steps", "1", "--seed", "1", "--safety", "off", *more]
        if command == "generate"
        else [command, MILD, "--model", model, "--steps", "1", "--seed", "1", *more],
    )  # fmt: skip
    return result


def test_metadata_and_watermark_are_the_default(tiny_model_path: str) -> None:
    told = json.loads(run("generate", tiny_model_path, "--out", "a.png", "--json").stdout)
    assert told["images"][0]["watermark"]
    found = inspect_file(Path("a.png"))
    assert found.has_watermark and found.source_type == SYNTHETIC and found.record is not None
    assert found.record["seed"] == 1 and found.manifest is None


@pytest.mark.parametrize(("name", "file_format"), [("a.jpg", "jpeg"), ("a.JPEG", "jpeg"), ("a.webp", "webp")])
def test_the_ending_chooses_the_format(name: str, file_format: str, tiny_model_path: str) -> None:
    assert run("generate", tiny_model_path, "--out", name).exit_code == 0
    found = inspect_file(Path(name))
    assert found.file_format == file_format and found.has_watermark and found.record is not None


def test_another_ending_is_refused(tiny_model_path: str) -> None:
    result = run("generate", tiny_model_path, "--out", "a.gif")
    assert result.exit_code == 2 and ".webp" in result.stderr


def test_the_watermark_can_be_left_out_and_the_help_says_how(tiny_model_path: str) -> None:
    result = run("generate", tiny_model_path, "--out", "a.png", "--no-watermark")
    assert result.exit_code == 0 and "without watermark" in result.stdout
    found = inspect_file(Path("a.png"))
    assert not found.has_watermark and found.source_type == SYNTHETIC and found.record is not None
    assert "--no-watermark" in CliRunner().invoke(app, ["generate", "--help"]).stdout


def test_pictures_are_signed_when_asked(tiny_model_path: str, tmp_path: Path) -> None:
    certificate, key = write_credentials(tmp_path)
    signing = ("--c2pa-certificate", str(certificate), "--c2pa-key", str(key))
    assert run("generate", tiny_model_path, "--out", "a.png", *signing).exit_code == 0
    found = inspect_file(Path("a.png"))
    assert found.manifest is not None and found.manifest.signer == SIGNER and found.has_watermark
    for field, wrong in (("c2pa_key", signing[:2]), ("c2pa_certificate", (signing[0], "missing.pem", *signing[2:]))):
        result = run("generate", tiny_model_path, "--out", "b.png", *wrong)
        assert result.exit_code == 2 and f"{field}: got" in result.stderr and not Path("b.png").exists()


def test_a_picture_that_drowns_the_mark_is_not_written(tiny_model_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "MARGIN", 1e9)
    result = run("generate", tiny_model_path, "--out", "a.png")
    assert result.exit_code == 3 and "drowns" in result.stderr and not Path("a.png").exists()


def test_a_contact_sheet_has_metadata(tiny_model_path: str) -> None:
    assert run("compare", tiny_model_path, "--out", "a.png").exit_code == 0
    found = inspect_file(Path("a.png"))
    assert found.source_type == SYNTHETIC and found.record is not None and len(found.record["panels"]) == 5
