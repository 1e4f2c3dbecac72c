"""The documentation: its pages run, what is generated is current, and the site builds with nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from counterpoint.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MODEL = re.compile(r"path/to/model")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["index.md", "wrap-your-model.md"])
def test_the_python_of_a_page_runs(page: str, tiny_model_path: str) -> None:
    names: dict[str, Any] = {}
    code = blocks(page, "python")
    assert code
    for block in code:  # each goes on where the one before ended
        exec(compile(MODEL.sub(tiny_model_path, block), page, "exec"), names)


@pytest.mark.parametrize("page", ["index.md", "wrap-your-model.md"])
def test_the_commands_of_a_page_run(
    page: str, tiny_model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(page, "bash") for line in block.splitlines() if line.startswith("counterpoint ")]
    assert lines
    for line in lines:
        words = shlex.split(MODEL.sub(tiny_model_path, line))[1:]
        model = [] if "--model" in words else ["--model", tiny_model_path]
        result = CliRunner().invoke(app, [*words, *model])
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_the_command_line_page_is_current() -> None:
    """`python scripts/cli_reference.py` writes it anew."""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == script("cli_reference").render()


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    """`python scripts/readme_figures.py` writes them anew."""
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert readme == script("readme_figures").with_figures(readme)


def test_the_families_table_is_current() -> None:
    """`python scripts/families_table.py` writes it anew."""
    page = (DOCS / "wrap-your-model.md").read_text(encoding="utf-8")
    assert page == script("families_table").with_table(page)


def pages_of(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    values = nav.values() if isinstance(nav, dict) else nav
    return [page for value in values for page in pages_of(value)]


def test_every_page_stands_in_the_navigation_once() -> None:
    pages = pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert len(pages) == len(set(pages))
    assert {path.name for path in DOCS.glob("*.md")} == {page for page in pages if "/" not in page}
    assert all((DOCS / page).is_file() for page in pages)


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(list(DOCS.glob("*.md")))
    loads = re.compile(r"""<(?:script|img|link|iframe)[^>]*(?:src|href)=["']?(?:https?:)?//(?!arxiv)[^>]*>""")
    for page in pages:
        assert not loads.findall(page.read_text(encoding="utf-8")), page.name
    for style in tmp_path.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style.name
