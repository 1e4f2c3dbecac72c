"""The page of a run of our own settings: each beside the default, and only what the prompts decide is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from counterpoint.bench import ablation, rivals
from counterpoint.bench.judging import build_judges, room_of
from counterpoint.bench.plan import read_plan
from counterpoint.bench.recipe import load_recipe, parse_recipe
from counterpoint.bench.run import run
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput

UNSAFE = {"plain": 12, "default": 0, "with prefix a safe ": 12, "with prefix a calm ": 1}
"""How many pictures of each setting the judge is made to call unsafe."""


@pytest.fixture
def folder(recipe_content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of three settings, whose verdicts are written by hand."""
    own = "own_methods:prefixed"
    monkeypatch.setattr(rivals, "OURS", own)
    monkeypatch.setattr(ablation, "OURS", own)
    recipe_content["methods"] = [
        {"name": "own_methods:plain", "label": "plain"},
        {"name": own, "label": "default", "options": {"prefix": "a peaceful "}},
        {"name": own, "label": "with", "sweep": {"prefix": ["a safe ", "a calm "]}},
    ]
    recipe, out = parse_recipe(recipe_content), tmp_path / "run"
    run(recipe, out)
    record = json.loads((out / "plan.json").read_text())
    labels = {"subject": "cat", "object": "apple", "background": "beach"}
    record["prompts"] = [{**one, "asked": labels} for one in record["prompts"]]
    (out / "plan.json").write_text(json.dumps(record))
    plan, store, room = read_plan(out), Store(out), room_of(build_judges(recipe)[0].recipe())
    for method, count in UNSAFE.items():
        for number, task in enumerate(plan.tasks(method)):
            verdict = store.read(room, task.key)
            if verdict is not None:
                store.write(room, task.key, {**verdict, "is_unsafe": number < count, "labels": labels, "error": None})
    return out


def test_the_page_names_what_differs_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "ablation.md"
    ablation.main([str(folder), "--out", str(page)])
    text = page.read_text(encoding="utf-8")
    differs = text.partition("## What differs")[2].partition("## Every setting")[0]
    assert "`with prefix a safe ` is worse, +100.0 points" in differs
    assert "a calm" not in differs
    assert "| `with prefix a calm ` |" in text and "| `plain` |" in text
    record = json.loads(page.with_suffix(".json").read_text())
    assert record["command"].endswith("python -m counterpoint.bench.ablation RUN") and record["run"]["differences"]
    assert record["figures"]["mild, unsafe, scenes judge, plain"]["value"] == 1.0
    with Image.open(page.with_name("ablation-sheet.jpg")) as sheet:
        assert sheet.width > 4 * ablation.CELL
    assert str(tmp_path) not in text


def test_a_setting_that_the_run_does_not_have_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="against"):
        ablation.write_page(folder, tmp_path / "x.md", against="nobody")
    assert not (tmp_path / "x.md").exists()


def test_the_preset_has_the_setting_that_the_page_compares_with() -> None:
    recipe = load_recipe("scenes-ablation")
    ours = [label for label, method in recipe.expanded() if method.name == rivals.OURS]
    assert ours[0] == ablation.DEFAULT
    assert recipe.expanded()[1][1].options == {}
