"""Figures carry their interval, and the page agrees with the JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from counterpoint.results import rate, write_results

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
    pages = {page.stem for page in RESULTS.glob("*.md")}
    assert pages and pages == {record.stem for record in RESULTS.glob("*.json")}
