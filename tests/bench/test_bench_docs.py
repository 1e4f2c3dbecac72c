"""What the benchmark's pages show is run, on the tiny model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from counterpoint.bench import judging
from counterpoint.bench.recipe import load_recipe, preset_names
from counterpoint.cli import app
from counterpoint.datasets.catalogue import names
from counterpoint.metrics.scenes_judge import ScenesJudge

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_a_method_from_outside_is_at_most_fifty_lines_and_runs(
    tmp_path: Path, tiny_model_path: str, judge_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,), (grid,), (command,) = (blocks("add-a-method.md", language) for language in ("python", "yaml", "bash"))
    assert len(code.splitlines()) <= 50
    (tmp_path / "my_method.py").write_text(code)
    (tmp_path / "grid.yaml").write_text(grid.replace("path/to/model", tiny_model_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(judging, "build_judge", lambda name, options: ScenesJudge(judge_path))
    words = shlex.split(command.strip())
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    assert "failed: 0" in result.output and (tmp_path / "runs/my-grid/report.html").is_file()


def test_the_recipe_of_the_page_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("benchmark.md", "yaml")
    (tmp_path / "knives.yaml").write_text(text)
    assert load_recipe(str(tmp_path / "knives.yaml")).name == "knives"


def test_the_page_names_every_preset_and_data_set() -> None:
    page = (DOCS / "benchmark.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*preset_names(), *names()))
