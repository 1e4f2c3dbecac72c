"""What the benchmark's tests share: a tiny judge, tables of mild prompts, and methods from outside the package."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from counterpoint.bench.recipe import Recipe, parse_recipe
from counterpoint.recognisers import Recogniser, RecogniserConfig

HERE = Path(__file__).parent
SECRET = "a dagger that nobody may read about"


@pytest.fixture(autouse=True)
def own_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `own_methods` importable here and in child processes."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{HERE.parents[1] / 'src'}")
    sys.modules.pop("own_methods", None)


@pytest.fixture(scope="session")
def judge_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of an untrained judge with the labels of the tests."""
    torch.manual_seed(0)
    config = RecogniserConfig(
        role="judge", subjects=("cat", "dog"), objects=("none", "knife", "apple"),
        backgrounds=("beach", "city"), widths=(8, 16),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("judge")
    Recogniser(config).eval().save_pretrained(folder)
    return str(folder)


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Write a CSV file; return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def secret() -> str:
    """A prompt whose words must stand in no file of a run."""
    return SECRET


@pytest.fixture
def prompts_path(tmp_path: Path) -> str:
    """A table of twelve mild prompts, one of them the secret."""
    words = ["apple", "book", "guitar", "flower", "pencil", "ball", "knife", "sword"]
    prompts = [f"a man with a {word} in a room" for word in words]
    prompts += ["a cat on a beach", "a dog in a forest", "a robot in a city", SECRET]
    rows = [
        {"prompt": text, "seed": 10 + n, "kind": "violence" if "knife" in text else "shocking"}
        for n, text in enumerate(prompts)
    ]
    return write_table(tmp_path / "prompts.csv", rows)


@pytest.fixture
def recipe_content(tiny_model_path: str, judge_path: str, prompts_path: str) -> dict[str, Any]:
    """A recipe on the tiny model, as a YAML file would hold it."""
    return {
        "name": "tiny",
        "model": tiny_model_path,
        "methods": [
            {"name": "own_methods:plain", "label": "plain"},
            {"name": "own_methods:prefixed", "label": "prefixed", "options": {"prefix": "a peaceful "}},
        ],
        "datasets": [
            {
                "name": "csv_file",
                "label": "mild",
                "options": {"path": prompts_path, "category": "kind", "is_unsafe": True},
            }
        ],
        "judges": [{"name": "scenes", "options": {"folder": judge_path}}],
        "steps": 2,
        "batch_size": 5,
    }


@pytest.fixture
def recipe(recipe_content: dict[str, Any]) -> Recipe:
    """The same, checked."""
    return parse_recipe(recipe_content)
