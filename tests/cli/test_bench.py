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
    assert not (tmp_path / "run").exists()
    result = invoke("run", config, "--out", out, "--limit", "2", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["planned"], told["drawn"], told["failed"]) == (4, 4, 0)
    Path(told["report"]).unlink()
    assert invoke("report", out).exit_code == 0 and Path(told["report"]).is_file()
    later = json.loads(invoke("run", config, "--out", out, "--dry-run", "--json").stdout)
    assert later["to_draw"] == 2 and later["seconds_in_store"] > 0


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
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str, config: str, tmp_path: Path) -> None:
    result = invoke("run", config, "--out", str(tmp_path / "run"), *words)
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    result = invoke("report", str(tmp_path))
    assert result.exit_code == 2 and "plan.json" in result.stderr
