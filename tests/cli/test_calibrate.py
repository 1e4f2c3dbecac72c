"""`counterpoint calibrate`: the file it writes is the gate that the other commands use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from diffusers import StableDiffusionPipeline
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.gate_settings import GateSettings, read_gate_settings
from counterpoint.interfaces import InvalidInput
from counterpoint.text_space import StableDiffusionText


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("concepts.json").write_text('{"music": ["guitar"]}')
    Path("unsafe.txt").write_text("a cat with a guitar\na man with a guitar on a beach\n")
    Path("benign.txt").write_text("a cat with a book\na dog with a flower\n\n")


def calibrate(model: str, *more: str) -> Any:
    return run("calibrate", "--model", model, "--out", "gate.json", *more)


def test_a_concept_of_ones_own_engages_the_gate_that_was_fitted(tiny_model_path: str) -> None:
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    result = calibrate(tiny_model_path, *files, "--json")
    assert result.exit_code == 0, result.stderr
    printed = json.loads(result.stdout)
    calibration = printed["calibration"]
    assert (calibration["recall"], calibration["num_unsafe"], calibration["num_benign"]) == (1.0, 2, 2)
    assert printed["intervals"]["recall"][0] < 1.0
    prompt = "a chef with a guitar"
    verdicts = [
        json.loads(run("check", prompt, "--model", tiny_model_path, "--json", *gate).stdout)
        for gate in ((), ("--gate", "gate.json"))
    ]
    assert [verdict["unsafe"] for verdict in verdicts] == [False, True]
    assert verdicts[1]["categories"]["music"] == pytest.approx(1.0)
    drawn = run(
        "generate",
        prompt,
        "--model",
        tiny_model_path,
        "--gate",
        "gate.json",
        "--steps",
        "2",
        "--out",
        "a.png",
        "--json",
    )
    assert json.loads(drawn.stdout)["images"][0]["report"]["action"] == "steered"


def test_a_gate_of_another_encoder_is_refused(tiny_model_path: str) -> None:
    assert calibrate(tiny_model_path, "--unsafe", "unsafe.txt", "--benign", "benign.txt").exit_code == 0
    settings = read_gate_settings(Path("gate.json"))
    other = GateSettings(encoder="Other-1-2", extra_concepts=settings.extra_concepts, calibration=settings.calibration)
    text = StableDiffusionText(StableDiffusionPipeline.from_pretrained(tiny_model_path))
    assert settings.gate(text)(["a chef with a knife"])[0].is_unsafe
    with pytest.raises(InvalidInput, match="Other-1-2"):
        other.gate(text)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"encoder": "x"}', '{"encoder": 1, "extra_concepts": 2, "calibration": {}}']
)
def test_what_is_no_gate_is_refused(content: str) -> None:
    Path("gate.json").write_text(content)
    with pytest.raises(InvalidInput, match="calibrate"):
        read_gate_settings(Path("gate.json"))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--unsafe", "unsafe.txt"), "benign"),
        (("--max-false-alarms", "1.5"), "max_false_alarms"),
        (("--concepts", "unsafe.txt"), "concepts"),
    ],
)
def test_wrong_input_names_the_field(tiny_model_path: str, arguments: tuple[str, ...], field: str) -> None:
    result = calibrate(tiny_model_path, *arguments)
    assert result.exit_code == 2 and result.stderr.startswith(f"counterpoint: {field}:")
    assert not Path("gate.json").exists()


def test_no_file_is_replaced_unless_asked(tiny_model_path: str) -> None:
    Path("gate.json").write_text("mine")
    files = ("--unsafe", "unsafe.txt", "--benign", "benign.txt")
    assert calibrate(tiny_model_path, *files).exit_code == 2
    assert Path("gate.json").read_text() == "mine"
    assert calibrate(tiny_model_path, *files, "--overwrite").exit_code == 0


def test_a_gate_file_that_cannot_be_read_names_field_and_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gate: got '.*none\.json'; allowed: a file that can be read"):
        read_gate_settings(tmp_path / "none.json")
