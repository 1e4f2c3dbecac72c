"""The command line: exit codes, one clear line for wrong input, no file lost, no prompt leaked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import counterpoint
from counterpoint.cli import app
from counterpoint.interfaces import Detection
from counterpoint.png import read_metadata

RISKY = "a chef with a knife in a room"
MILD = "a dog in a forest"


class WordGate:
    """A gate that knows one word, so that these tests rest on no threshold."""

    def __init__(self, text: Any, *, threshold: float, concepts: Any, extra_concepts: Any) -> None:
        self.threshold = threshold

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        return [self._judge("knife" in prompt) for prompt in prompts]

    def _judge(self, is_unsafe: bool) -> Detection:
        score = 0.9 if is_unsafe else 0.1
        evidence = ("knife",) if is_unsafe else ()
        categories = {"violence": score, "shocking": -0.1}
        return Detection(is_unsafe=is_unsafe, score=score, categories=categories, evidence=evidence)


@pytest.fixture(autouse=True)
def word_gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("counterpoint.gate.ConceptSimilarity", WordGate)
    monkeypatch.setattr("counterpoint.gate.threshold_for", lambda text: 0.5)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: str | bytes | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def draw(model: str, prompt: str, *more: str) -> Any:
    return run("generate", prompt, "--model", model, "--steps", "2", *more)


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["compare", "--help"], ["check", "--help"]])
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom counterpoint.cli import app\n"
        f"try: app({arguments!r})\nexcept SystemExit as end: assert end.code == 0, end.code\n"
        "assert not {'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)\n"
    )
    source = str(Path(counterpoint.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": source}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("prompt", ["generate", " "]),
        ("prompt", ["generate", "a cat \udcff in a room"]),
        ("safe_prompt", ["generate", MILD, "--safe-prompt", ""]),
        ("safety", ["generate", MILD, "--safety", "2"]),
        ("safety", ["generate", MILD, "--safety", "nan"]),
        ("safety", ["generate", MILD, "--safety", "extreme"]),
        ("guidance_scale", ["generate", MILD, "--guidance-scale", "nan"]),
        ("guidance_scale", ["compare", MILD, "--guidance-scale", "inf"]),
        ("steps", ["generate", MILD, "--steps", "0"]),
        ("steps", ["generate", MILD, "--steps", "many"]),
        ("seed", ["generate", MILD, "--seed", "-1"]),
        ("seed", ["generate", MILD, "--seed", str(2**53 - 1), "-n", "2"]),
        ("num", ["generate", MILD, "-n", "0"]),
        ("out", ["generate", MILD, "--out", "a.gif"]),
        ("out", ["generate", MILD, "--out", "a.png", "-n", "2"]),
        ("out", ["compare", MILD, "--out", "folder"]),
        ("model", ["generate", MILD, "--model", "./no-such-folder"]),
        ("model", ["check", MILD, "--model", "no-such-folder"]),
        ("model", ["check", MILD, "--model", "a" * 5000]),
        ("File name too long", ["generate", MILD, "--out", "a" * 5000 + ".png"]),
        ("wrong-option", ["generate", MILD, "--wrong-option"]),
    ],
)
def test_wrong_input_exits_2_and_names_the_field(field: str, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert field in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not list(Path().glob("*.png"))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model_index.json").write_text("{")
    for name in ("broken", "."):
        result = run("generate", MILD, "--model", name)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1 and f"model: got {name!r}" in result.stderr


def test_a_missing_embedded_model_exits_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("counterpoint.embedded.MODEL_PATH", tmp_path / "absent")
    result = run("generate", MILD)
    assert result.exit_code == 2 and "model: got 'embedded'" in result.stderr


def test_a_prompt_that_the_encoder_would_cut_exits_2(tiny_model_path: str) -> None:
    result = run("generate", "dog " * 100, "--model", tiny_model_path)
    assert result.exit_code == 2 and "tokens" in result.stderr and "dog" not in result.stderr


def test_the_same_seed_gives_the_same_pixels_whatever_the_number(tiny_model_path: str) -> None:
    assert draw(tiny_model_path, RISKY, "--seed", "4", "--out", "a.png").exit_code == 0
    assert draw(tiny_model_path, RISKY, "--seed", "3", "-n", "2", "--out", "two").exit_code == 0
    assert pixels(Path("a.png")) == pixels(Path("two/counterpoint-4.png"))
    assert pixels(Path("a.png")) != pixels(Path("two/counterpoint-3.png"))


def test_no_file_is_overwritten_unless_asked(tiny_model_path: str) -> None:
    path = Path("a.png")
    path.write_bytes(b"mine")
    for command in ("generate", "compare"):
        result = run(command, MILD, "--model", tiny_model_path, "--steps", "1", "--out", "a.png")
        assert result.exit_code == 2 and "out: got 'a.png'" in result.stderr
        assert path.read_bytes() == b"mine"
    assert draw(tiny_model_path, MILD, "--out", "a.png", "--overwrite").exit_code == 0
    assert path.read_bytes() != b"mine"


def test_generate_reports_what_happened_and_no_prompt(tiny_model_path: str) -> None:
    result = draw(tiny_model_path, RISKY, "--seed", "1", "--safety", "high", "--out", "a.png", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["prompt_sha256"] == hashlib.sha256(RISKY.encode()).hexdigest()
    assert told["level"] == {"safety": 0.75, "weight": 1.0, "tau": 0.1}
    (image,) = told["images"]
    assert (image["path"], image["seed"], image["report"]["action"]) == ("a.png", 1, "steered")
    assert told["failures"] == [] and RISKY not in result.output
    record = read_metadata(Path("a.png"))
    assert record.report == image["report"] and record.prompt is None and record.model == "model"
    assert (record.seed, record.steps, record.scheduler) == (1, 2, "DDIMScheduler")
    assert tiny_model_path.encode() not in Path("a.png").read_bytes()
    assert b"chef" not in Path("a.png").read_bytes()


def test_the_prompt_is_saved_when_asked(tiny_model_path: str) -> None:
    more = ("--safe-prompt", "a chef with a flower", "--save-prompt", "--out", "a.png")
    assert draw(tiny_model_path, RISKY, *more).exit_code == 0
    record = read_metadata(Path("a.png"))
    assert (record.prompt, record.safe_prompt) == (RISKY, "a chef with a flower")


@pytest.mark.parametrize(("failing", "code"), [((1,), 4), ((1, 2), 3)])
def test_missing_pictures_exit_4_and_none_at_all_3(
    failing: tuple[int, ...], code: int, tiny_model_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from counterpoint import SafetyFailure
    from counterpoint.cli import drawing

    plain_draw = drawing.draw

    def broken_draw(*arguments: Any, seed: int, **more: Any) -> Any:
        if seed in failing:
            raise SafetyFailure("the gate failed; nothing is drawn")
        return plain_draw(*arguments, seed=seed, **more)

    monkeypatch.setattr(drawing, "draw", broken_draw)
    result = draw(tiny_model_path, RISKY, "--seed", "1", "-n", "2", "--out", "two", "--json")
    assert result.exit_code == code
    assert [failure["seed"] for failure in json.loads(result.stdout)["failures"]] == list(failing)
    assert len(list(Path("two").glob("*.png"))) == 2 - len(failing)
    assert "seed 1: the gate failed" in result.stderr and "Traceback" not in result.stderr


def test_compare_blurs_the_plain_panel_of_an_engaged_prompt_only(tiny_model_path: str) -> None:
    def blurred(prompt: str, *more: str) -> list[bool]:
        result = run(
            "compare", prompt, "--model", tiny_model_path, "--steps", "2", "--seed", "1", "--json", "--overwrite", *more
        )
        assert result.exit_code == 0, result.stderr
        told = json.loads(result.stdout)
        assert [panel["level"]["safety"] for panel in told["panels"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
        assert read_metadata(Path("compare.png")).panels == tuple(told["panels"])
        return [panel["blurred"] for panel in told["panels"]]

    assert blurred(RISKY) == [True, False, False, False, False]
    hidden = pixels(Path("compare.png"))
    assert blurred(RISKY, "--reveal") == [False] * 5
    assert pixels(Path("compare.png")) != hidden
    assert blurred(MILD) == [False] * 5


def test_compare_blurs_what_the_picture_check_calls_unsafe(
    tiny_model_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steered or harmless: a panel that the check calls unsafe is hidden, and its reason told."""
    looks = [Detection(is_unsafe=number == 2, score=0.0) for number in range(5)]
    asked: list[str] = []

    def detector(name: str) -> Any:
        asked.append(name)
        return lambda pictures: looks[: len(pictures)]

    monkeypatch.setattr("counterpoint.loading.picture_detector", detector)
    call = ["--model", tiny_model_path, "--steps", "1", "--seed", "1", "--json", "--overwrite"]
    for prompt, gate in ((RISKY, "gate"), (MILD, None)):
        result = run("compare", prompt, "--picture-check", "open_nsfw", *call)
        assert result.exit_code == 0, result.stderr
        panels = json.loads(result.stdout)["panels"]
        assert [panel["reason"] for panel in panels] == [gate, None, "picture check", None, None]
        assert [panel["blurred"] for panel in panels] == [gate is not None, False, True, False, False]
        assert [panel["picture_unsafe"] for panel in panels] == [False, False, True, False, False]
    assert asked == ["open_nsfw", "open_nsfw"]

    def crash(pictures: Any) -> Any:
        raise RuntimeError("no eyes")

    Path("compare.png").unlink()
    monkeypatch.setattr("counterpoint.loading.picture_detector", lambda name: crash)
    result = run("compare", MILD, "--picture-check", "open_nsfw", *call)
    assert result.exit_code != 0 and "no eyes" in result.stderr and not Path("compare.png").exists()


def test_compare_refuses_an_unknown_picture_check(tiny_model_path: str) -> None:
    result = run("compare", MILD, "--model", tiny_model_path, "--picture-check", "eyes")
    assert result.exit_code == 2 and "picture_check" in result.stderr and "open_nsfw" in result.stderr


def test_check_prints_one_json_object_a_prompt(tiny_model_path: str) -> None:
    result = run("check", RISKY, "-", "--json", "--model", tiny_model_path, stdin=f"{MILD}\r\n{RISKY}\n")
    assert result.exit_code == 0
    verdicts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [verdict["unsafe"] for verdict in verdicts] == [True, False, True]
    for text, verdict in zip((RISKY, MILD, RISKY), verdicts, strict=True):
        assert set(verdict) == {"prompt_sha256", "unsafe", "forbidden", "score", "categories", "engaged_by", "remarks"}
        assert verdict["prompt_sha256"] == hashlib.sha256(text.encode()).hexdigest()
        assert verdict["score"] == max(verdict["categories"].values())
    assert RISKY not in result.stdout


def test_check_shows_bars_to_people(tiny_model_path: str) -> None:
    result = run("check", RISKY, "--model", tiny_model_path)
    assert "prompt 1: unsafe  score 1.00  because of: knife" in result.stdout
    assert "violence" in result.stdout and "█" in result.stdout


@pytest.mark.parametrize("stdin", ["", "\n", b"\xff\n"])
def test_check_refuses_empty_lines_and_other_bytes(stdin: str | bytes) -> None:
    result = run("check", "-", stdin=stdin)
    assert result.exit_code == 2 and "Traceback" not in result.stderr


def test_a_failing_gate_exits_3(tiny_model_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: WordGate, is_unsafe: bool) -> Detection:
        raise RuntimeError("broken")

    monkeypatch.setattr(WordGate, "_judge", fail)
    for arguments in (["check", MILD], ["generate", MILD], ["compare", MILD]):
        result = run(*arguments, "--model", tiny_model_path)
        assert result.exit_code == 3 and "gate failed" in result.stderr
        assert not list(Path().glob("*.png"))


def test_levels_prints_the_dial() -> None:
    rows = json.loads(run("levels", "--json").stdout)
    assert [row["name"] for row in rows] == ["off", "low", "medium", "high", "max"]
    assert all(set(row) == {"name", "safety", "weight", "tau"} for row in rows)
    assert "medium" in run("levels").stdout


def test_version_is_printed() -> None:
    assert run("--version").stdout == f"counterpoint {counterpoint.__version__}\n"


def test_the_demo_writes_its_pictures_and_one_sheet_once(tiny_model_path: str) -> None:
    from counterpoint.demo import COLUMNS, PROMPTS, demo

    demo(out=Path("demo"), model=tiny_model_path, steps=2)
    assert len(list(Path("demo").glob("?-*.png"))) == len(PROMPTS) * len(COLUMNS)
    record = read_metadata(Path("demo/contact-sheet.png"))
    actions = {(panel["prompt"], panel["level"]): panel["report"]["action"] for panel in record.panels}
    assert actions[RISKY, "off"] == "passed" and actions[RISKY, "medium"] == "steered"
    assert all(actions[PROMPTS[0], level] == "passed" for level in COLUMNS.values())
    with pytest.raises(typer.Exit):
        demo(out=Path("demo"), model=tiny_model_path, steps=2)
