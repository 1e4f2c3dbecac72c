"""What the README shows is run, on the tiny model in place of a real one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import counterpoint
from counterpoint.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODEL = re.compile(r"path/to/[\w/.-]+")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_of_the_readme_runs(tiny_model_path: str) -> None:
    names: dict[str, object] = {}
    for code in blocks("python"):  # each goes on where the one before ended
        exec(compile(MODEL.sub(tiny_model_path, code), "README.md", "exec"), names)
    assert names["out"].safety[0].action in ("passed", "steered")  # type: ignore[attr-defined]


def test_the_python_of_the_page_on_detectors_runs_and_its_comments_are_true() -> None:
    """ "expression  # value" in a block says what comes out."""
    page = (ROOT / "docs" / "detectors.md").read_text(encoding="utf-8")
    said = 0
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        names: dict[str, object] = {}
        exec(compile(code, "detectors.md", "exec"), names)
        for expression, value in re.findall(r"^([\w\[].*?)  # ([\[(].*)$", code, flags=re.MULTILINE):
            assert eval(expression, names) == eval(value), expression
            said += 1
    assert said == 2


def test_the_commands_of_the_readme_run(tiny_model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        line.partition(" #")[0]
        for block in blocks("bash")
        for line in block.splitlines()
        if line.startswith("counterpoint ")
    ]
    assert len(lines) >= 4
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(MODEL.sub(tiny_model_path, line))[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chef.png", "dial.png", "gate.json"]


def test_the_readmes_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_version_is_the_changelogs_newest() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, flags=re.MULTILINE)
    assert newest is not None and newest[1] == counterpoint.__version__
