"""`counterpoint bench`: exit codes, JSON, and messages that say what is allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from counterpoint.cli import app


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, ["bench", *words])


@pytest.fixture
def config(tmp_path: Path, tiny_model_path: str) -> str:
    (tmp_path / "prompts.csv").write_text("prompt,seed\na man with a knife,1\na cat on a beach,2\na dog,3\n")
    content = {
        "name": "tiny", "model": tiny_model_path, "methods": [{"name": "plain"}, {"name": "negative_prompt"}],
        "datasets": [{"name": "csv_file", "label": "mild", "options": {"path": "prompts.csv", "is_unsafe": True}}],
        "judges": [], "steps": 1,
    }  # fmt: skip
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_dry_run_then_run_then_report(config: str, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    planned = json.loads(invoke("run", config, "--out", out, "--dry-run", "--json").stdout)
    assert (planned["pictures"], planned["to_draw"], planned["plain_rows"]) == (6, 6, 12)
    assert planned["seconds_by_trial"] > 0 and planned["seconds_in_store"] is None
    assert not (tmp_path / "run").exists()
    result = invoke("run", config, "--out", out, "--limit", "2", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["planned"], told["drawn"], told["failed"]) == (4, 4, 0)
    Path(told["report"]).unlink()
    assert invoke("report", out).exit_code == 0 and Path(told["report"]).is_file()
    later = json.loads(invoke("run", config, "--out", out, "--dry-run", "--json").stdout)
    assert later["to_draw"] == 2 and later["seconds_in_store"] > 0 and later["seconds_by_trial"] is None


def test_a_stage_and_a_shard_alone(config: str, tmp_path: Path) -> None:
    words = ("run", config, "--out", str(tmp_path / "run"), "--stage", "generate", "--set", "batch_size=1", "--json")
    assert json.loads(invoke(*words, "--shard", "1/2").stdout)["drawn"] == 4
    assert json.loads(invoke(*words, "--shard", "2/2").stdout)["drawn"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stage", "draw"], "generate, judge, report"),
        (["--shard", "3/2"], "I/N"),
        (["--set", "stepz=3"], "known are"),
        (["--set", "steps"], "FIELD=VALUE"),
        (["--limit", "0"], "from 1"),
        (["--set", "steps=[1"], "steps: got '[1'"),
        (["--set", "datasets=5"], "datasets: got 5"),
        (["--set", "judges=5"], "judges: got 5"),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str, config: str, tmp_path: Path) -> None:
    result = invoke("run", config, "--out", str(tmp_path / "run"), *words)
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    result = invoke("report", str(tmp_path))
    assert result.exit_code == 2 and "plan.json" in result.stderr


def test_a_recipe_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"name: \xff\xfe")
    result = invoke("run", str(tmp_path / "r.yaml"), "--out", str(tmp_path / "run"))
    assert result.exit_code == 2 and "UTF-8" in result.stderr


def test_a_judge_that_fails_is_told_and_asked_again(config: str, tmp_path: Path) -> None:
    """A CLIP backbone whose weights are not what they say: no picture can be judged until they are."""
    clip = tmp_path / "clip"
    clip.mkdir()
    (clip / "config.json").write_text("{}")
    words = ("run", config, "--out", str(tmp_path / "run"), "--json",
             "--set", f"judges=[{{name: clip_score, options: {{clip: {clip}}}}}]")  # fmt: skip
    result = invoke(*words)
    told = json.loads(result.stdout)
    assert result.exit_code == 4 and (told["failed"], told["unjudged"]) == (0, 6)
    assert json.loads(invoke(*words).stdout)["judged"] == 0
    assert json.loads(invoke(*words, "--retry-errors").stdout)["judged"] == 6


def test_an_unforeseen_failure_is_told_without_its_message(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quote(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a man with a knife")

    monkeypatch.setattr("counterpoint.bench.run.generate", quote)
    result = invoke("run", config, "--out", str(tmp_path / "run"))
    assert result.exit_code == 3 and "RuntimeError at test_bench.py" in result.output
    assert "knife" not in result.output
