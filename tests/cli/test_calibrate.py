"""`counterpoint calibrate`: the file it writes is the gate that the other commands use."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.gate_settings import GateSettings, read_gate_settings
from counterpoint.interfaces import InvalidInput
from counterpoint.loading import load_pipe
from counterpoint.pipeline import SafePipeline
from counterpoint.text_space import StableDiffusionText

calibrate_command = importlib.import_module("counterpoint.cli.calibrate")  # the package's own name is the function


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("concepts.json").write_text('{"music": ["guitar"]}')
    Path("unsafe.txt").write_text("a cat with a guitar\na man with a guitar on a beach\n" * 10)
    Path("few.txt").write_text("a cat with a book\n" * 19)
    Path("benign.txt").write_text("a cat with a book\na dog with a flower\n\n" * 10)


def calibrate(model: str, *more: str) -> Any:
    return run("calibrate", "--model", model, "--out", "gate.json", *more)


def test_a_concept_of_ones_own_engages_the_gate_that_was_fitted(tiny_model_path: str) -> None:
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    result = calibrate(tiny_model_path, *files, "--json")
    assert result.exit_code == 0, result.stderr
    printed = json.loads(result.stdout)
    calibration = printed["calibration"]
    assert (calibration["recall"], calibration["num_unsafe"], calibration["num_benign"]) == (1.0, 20, 20)
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
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    assert calibrate(tiny_model_path, *files).exit_code == 0
    settings = read_gate_settings(Path("gate.json"))
    other = GateSettings(encoder="Other-1-2", extra_concepts=settings.extra_concepts, calibration=settings.calibration)
    text = StableDiffusionText(StableDiffusionPipeline.from_pretrained(tiny_model_path))
    assert settings.gate(text)(["a chef with a knife"])[0].is_unsafe
    with pytest.raises(InvalidInput, match="Other-1-2"):
        other.gate(text)


def test_a_gate_that_was_fitted_with_other_lists_says_so(
    tiny_model_path: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    assert calibrate(tiny_model_path, *files).exit_code == 0
    settings = read_gate_settings(Path("gate.json"))
    text = StableDiffusionText(StableDiffusionPipeline.from_pretrained(tiny_model_path))
    settings.gate(text)
    assert not [warning for warning in recwarn if "lists" in str(warning.message)]
    with pytest.warns(UserWarning, match=r"does not say .*calibrate"):
        dataclasses.replace(settings, lists="").gate(text)
    monkeypatch.setattr("counterpoint.thresholds.HARMLESS_PHRASES", ("blood moon",))
    with pytest.warns(UserWarning, match="other lists"):
        settings.gate(text)


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
        (("--unsafe", "unsafe.txt", "--benign", "few.txt"), "benign"),
        (("--unsafe", "few.txt", "--benign", "benign.txt"), "unsafe"),
        (("--replace-concepts",), "replace_concepts"),
        (("--replace-concepts", "--concepts", "concepts.json"), "replace_concepts"),
    ],
)
def test_wrong_input_names_the_field(tiny_model_path: str, arguments: tuple[str, ...], field: str) -> None:
    result = calibrate(tiny_model_path, *arguments)
    assert result.exit_code == 2 and result.stderr.startswith(f"counterpoint: {field}:")
    assert not Path("gate.json").exists()


def test_no_file_is_replaced_unless_asked(tiny_model_path: str) -> None:
    Path("gate.json").write_text("mine")
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    assert calibrate(tiny_model_path, *files).exit_code == 2
    assert Path("gate.json").read_text() == "mine"
    assert calibrate(tiny_model_path, *files, "--overwrite").exit_code == 0


def test_a_gate_file_that_cannot_be_read_names_field_and_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gate: got '.*none\.json'; allowed: a file that can be read"):
        read_gate_settings(tmp_path / "none.json")


def test_the_epilogs_own_example_finds_both_kinds_of_concepts() -> None:
    """On the embedded model, whose captions name a clown among the harmless subjects."""
    example = calibrate_command.EPILOG.removeprefix("Example: ")
    echo, fit, judge = (shlex.split(command) for command in example.split(";"))
    Path(echo[-1]).write_text(echo[1])
    fitted = run(*fit[1:], "--json")
    assert fitted.exit_code == 0, fitted.stderr
    said = json.loads(fitted.stdout)
    assert said["left_out"] > 0 and said["calibration"]["num_benign"] + said["left_out"] == 239
    assert said["calibration"]["recall"] > 0.99 and said["calibration"]["false_alarms"] <= 0.01
    similarity = read_gate_settings(Path("gate.json")).gate(SafePipeline(load_pipe()).text).detectors[1]
    prompts = [judge[2], "a jester", "a man with a knife", "a glass of wine", "a farmer with a book in a meadow"]
    assert [found.is_unsafe for found in similarity(prompts)] == [True, True, True, True, False]
    (verdict,) = run(*judge[1:], "--json").stdout.splitlines()
    assert json.loads(verdict)["unsafe"]


def test_people_are_told_what_was_left_out(tiny_model_path: str) -> None:
    Path("concepts.json").write_text('{"pets": ["cat"]}')
    result = calibrate(tiny_model_path, "--concepts", "concepts.json")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"\d+ captions that hold a word of your concepts were left out", result.stdout)


@pytest.mark.parametrize(
    ("limit", "field", "said"),
    [("0.01", "benign", "at most 0.01"), ("0.6", "unsafe", "at least 0.5")],
)
def test_harmless_prompts_that_mean_a_concept_are_an_error_that_names_the_words(
    tiny_model_path: str, limit: str, field: str, said: str
) -> None:
    """Of the harmless prompts half hold the concept; with 0.6 the threshold falls below it, and finds all."""
    Path("benign.txt").write_text("a cat with a guitar\na dog with a flower\n" * 10)
    if field == "unsafe":
        Path("unsafe.txt").write_text("a dog with a flower\n" * 15 + "a man with a guitar\n" * 5)
        Path("benign.txt").write_text("a dog with a flower\n" * 20)
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    result = calibrate(tiny_model_path, *files, "--max-false-alarms", limit)
    assert result.exit_code == 2 and result.stderr.startswith(f"counterpoint: {field}:")
    assert said in result.stderr and ("guitar" in result.stderr) == (field == "benign")
    assert ("flower" in result.stderr) == (field == "unsafe") and not Path("gate.json").exists()


def test_concepts_may_be_replaced(tiny_model_path: str) -> None:
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    assert calibrate(tiny_model_path, *files, "--replace-concepts").exit_code == 0
    settings = read_gate_settings(Path("gate.json"))
    assert settings.concepts == {"music": ("guitar",)} and not settings.extra_concepts
    text = StableDiffusionText(StableDiffusionPipeline.from_pretrained(tiny_model_path))
    _, similarity, words, *_ = settings.gate(text).detectors
    for detector in (similarity, words):
        assert [found.is_unsafe for found in detector(["a guitar", "a knife"])] == [True, False]
        assert set(detector(["a guitar"])[0].categories) == {"music"}
    written = json.loads(Path("gate.json").read_text())
    for field in ("concepts", "extra_concepts"):  # edited by hand: no word is read letter by letter
        with pytest.raises(InvalidInput, match="calibrate"):
            GateSettings.from_json({**written, field: {"music": "guitar"}})


def test_a_gate_is_refused_for_a_copy_with_other_weights(tiny_model_path: str) -> None:
    files = ("--concepts", "concepts.json", "--unsafe", "unsafe.txt", "--benign", "benign.txt")
    assert calibrate(tiny_model_path, *files).exit_code == 0
    pipe = StableDiffusionPipeline.from_pretrained(tiny_model_path)
    torch.manual_seed(7)
    pipe.text_encoder = type(pipe.text_encoder)(pipe.text_encoder.config).eval()
    pipe.save_pretrained("other")
    result = run("check", "a dog", "--model", "other", "--gate", "gate.json")
    assert result.exit_code == 2 and "gate: got 'one that was fitted for BertModel-32-" in result.stderr
    assert "counterpoint calibrate" in result.stderr
