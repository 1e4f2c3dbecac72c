"""Figures carry their interval, and the page agrees with the JSON."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from counterpoint.results import commit, machine, rate, write_results

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def test_a_rate_of_nothing_or_all_still_has_an_interval() -> None:
    none, everything = rate(0, 500), rate(500, 500)
    assert none.value == 0.0 and none.low == pytest.approx(0.0, abs=1e-12) and 0.0 < none.high < 0.01
    assert everything.value == 1.0 and everything.high == pytest.approx(1.0) and 0.99 < everything.low < 1.0


def test_page_and_json_are_written_together(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.json"
    write_results(path, title="T", command="make x", figures={"hits": rate(3, 4)}, notes="N")
    record = json.loads(path.read_text())
    assert record.keys() == {"command", "commit", "machine", "date", "figures"}
    assert record["figures"]["hits"]["n"] == 4
    assert "| hits | 0.75 |" in path.with_suffix(".md").read_text()


def test_every_results_page_has_its_json() -> None:
    pages = {page.stem.removesuffix("-tables") for page in RESULTS.glob("*.md")}  # a run's second page has the same
    assert pages and pages == {record.stem for record in RESULTS.glob("*.json")}


def holds_the_contract(path: Path) -> bool:
    record = json.loads(path.read_text(encoding="utf-8"))
    figures = record.get("figures")
    return (
        {"command", "commit", "machine", "date", "figures"} <= record.keys()
        and isinstance(figures, dict)
        and all(figure.keys() == {"value", "low", "high", "n", "unit"} for figure in figures.values())
    )


def test_every_file_of_results_holds_the_contract() -> None:
    assert not {path.stem for path in RESULTS.glob("*.json") if not holds_the_contract(path)}


def test_changes_are_told_but_those_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(("git", *who, *words), cwd=tmp_path, check=True, capture_output=True)

    code, page = tmp_path / "code.py", tmp_path / "docs" / "results" / "x.md"
    page.parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert commit() == "unknown"
    git("init")
    code.write_text("1")
    page.write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    clean = commit()
    assert len(clean) == 40
    page.write_text("2")
    assert commit() == clean
    code.write_text("2")
    monkeypatch.chdir(page.parent)
    assert commit() == f"{clean}+changes"


def test_a_machine_bears_its_processors_name_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "processor", lambda: "Some Processor")
    assert machine().startswith("x86_64, Some Processor, ")
    monkeypatch.setattr(platform, "processor", lambda: "x86_64")
    assert machine().count("x86_64") == 1 and machine().endswith(f"cores, {platform.system()}")
