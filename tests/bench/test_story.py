"""The page of a run: its figures, its pictures, and plain words where a rival wins."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from counterpoint.bench import rivals, story, story_sheet, story_tables
from counterpoint.bench.judging import build_judges, room_of
from counterpoint.bench.plan import read_plan
from counterpoint.bench.recipe import parse_recipe
from counterpoint.bench.report import write_report
from counterpoint.bench.run import run
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.set_distance import SetDistance
from counterpoint.results import Figure


@pytest.fixture
def folder(recipe_content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with four settings, whose verdicts are written by hand: ours is worse than the rival."""
    monkeypatch.setattr(rivals, "OURS", "own_methods:faulty")
    own = "own_methods:prefixed"
    recipe_content["methods"] = [
        {"name": "own_methods:plain", "label": "plain"},
        {"name": own, "label": "rival", "sweep": {"prefix": ["a peaceful ", "a safe "]}},
        {"name": "own_methods:faulty", "label": "ours"},
    ]
    recipe = parse_recipe(recipe_content)
    out = tmp_path / "run"
    run(recipe, out)
    plan, store = read_plan(out), Store(out)
    room = room_of(build_judges(recipe)[0].recipe())
    labels = {"subject": "cat", "object": "apple", "background": "beach"}
    unsafe = {"plain": 12, "rival prefix a peaceful ": 6, "rival prefix a safe ": 0, "ours": 12}
    record = json.loads((out / "plan.json").read_text())
    record["prompts"] = [{**one, "asked": labels} for one in record["prompts"]]
    (out / "plan.json").write_text(json.dumps(record))
    for method, count in unsafe.items():
        for number, task in enumerate(plan.tasks(method)):
            verdict = store.read(room, task.key)
            if verdict is not None:
                store.write(room, task.key, {**verdict, "is_unsafe": number < count, "labels": labels, "error": None})
    write_report(out)
    return out


def test_the_page_says_where_a_rival_wins(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "scenes.md"
    story.main([str(folder), "--out", str(page)])
    text = page.read_text(encoding="utf-8")
    assert "a rival wins these:" in text and "- `rival` against `ours`, unsafe rate matched: 0.0 %" in text
    assert "the rival is better" in text
    for name in ("scenes-front.svg", "scenes-sheet.jpg", "scenes.json"):
        assert name in text and (page.parent / name).stat().st_size > 500
    plot = (page.parent / "scenes-front.svg").read_text()
    assert "currentColor" not in plot
    assert ElementTree.fromstring(plot).attrib["font-family"] == "sans-serif"
    with Image.open(page.parent / "scenes-sheet.jpg") as sheet:
        assert sheet.width > 3 * story_sheet.CELL
    record = json.loads((page.parent / "scenes.json").read_text())
    assert {row["winner"] for row in record["run"]["matched"] if row["compared"] == "unsafe"} == {"rival"}
    assert record.keys() == {"command", "commit", "machine", "date", "figures", "run"}
    assert record["command"] == "counterpoint bench run tiny --out RUN; python -m counterpoint.bench.story RUN"
    assert record["commit"] == read_plan(folder).commit != ""
    assert all(figure.keys() == {"value", "low", "high", "n", "unit"} for figure in record["figures"].values())
    assert record["figures"]["mild, unsafe, scenes judge, plain"]["value"] == 1.0
    assert record["figures"]["mild, unsafe, scenes judge, plain, violence"]["n"] == 1
    rows = json.loads((folder / "report.json").read_text())["figures"]
    assert len(record["figures"]) == len(rows) and set(record["run"]["best"]) <= record["figures"].keys()
    assert "How long it took, all processes together: drawing" in text
    assert str(tmp_path) not in text
    every = (page.parent / "scenes-tables.md").read_text(encoding="utf-8")
    assert all(f"| `{label}` |" in every for label in read_plan(folder).methods) and "memory" in every
    assert "## The dial" in text and "## Unsafe pictures, by category" in text and "scenes-tables.md" in text


def test_pages_beside_it_are_linked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "attack.md").write_text("# Attacks")
    story.write_story(folder, tmp_path / "scenes.md")
    text = (tmp_path / "scenes.md").read_text(encoding="utf-8")
    assert "- [attack](attack.md): " in text and "ablation" not in text


def test_distances_of_sets_stand_on_the_page_where_the_recipe_asks_for_them() -> None:
    def figure(value: float, half: float) -> Figure:
        return Figure(value=value, low=value - half, high=value + half, n=20, unit="distance")

    distance = SetDistance(frechet=figure(12.5, 1.5), kernel=figure(0.25, 0.0))
    section = types.SimpleNamespace(label="proximal", sets={"some features": {"rival": distance}})
    about, rows = story_tables.sets_parts([section])  # type: ignore[list-item]
    assert "compare within this table only" in about and "0 = the same pictures" in about
    assert "KID over some features, proximal | FID over some features, proximal" in rows
    assert "| `rival` | 0.25 | 12.5 (11–14) |" in rows
    assert story_tables.sets_parts([types.SimpleNamespace(label="proximal", sets={})]) == []  # type: ignore[list-item]


def test_what_correction_alone_leaves_open_is_told() -> None:
    def duel(low: float, high: float, winner: str, goal: str = "unsafe") -> Any:
        gap = types.SimpleNamespace(value=(low + high) / 2, low=low, high=high, prompts=150)
        match = types.SimpleNamespace(goal=goal, difference=gap, p=0.135, rival=0.107, ours=0.34)
        return types.SimpleNamespace(ours="ours", rival="rival", match=match, winner=winner)

    (line,) = story.nearly_won([duel(0.02, 0.31, "undecided"), duel(-0.1, 0.3, "undecided"), duel(0.1, 0.3, "rival")])
    assert line.startswith("`rival` against `ours`, unsafe rate matched: 10.7 % to our 34.0 %; not decided (+16.5")
    assert len(story.nearly_won([duel(-0.3, -0.1, "undecided", "context")])) == 1
    assert not story.nearly_won([duel(0.1, 0.3, "undecided", "context"), duel(-0.3, -0.1, "undecided")])


def test_a_forced_gate_is_known_by_its_option_and_not_by_its_name() -> None:
    ours = [
        {"name": "dual_latent", "label": "ours, open_nsfw"},
        {"name": "dual_latent", "label": "ours, forced", "options": {"gate": "open"}},
    ]
    recipe = parse_recipe({"name": "x", "methods": ours, "datasets": [{"name": "scenes"}]})
    report: Any = types.SimpleNamespace(plan=types.SimpleNamespace(recipe=recipe))
    assert story_sheet.opened(report, "ours, open_nsfw") == ["ours, forced"]


def test_an_unfinished_run_makes_no_page(folder: Path, tmp_path: Path) -> None:
    next((folder / "pictures").rglob("*.png")).unlink()
    with pytest.raises(InvalidInput, match="not drawn"):
        story.write_story(folder, tmp_path / "scenes.md")


def test_a_run_without_rivals_makes_no_page(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "OURS", "nobody")
    with pytest.raises(InvalidInput, match="ours and at least one rival"):
        story.write_story(folder, tmp_path / "scenes.md")
