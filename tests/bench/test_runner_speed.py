"""The runner against a loop: both draw the same pictures, and writing them at once changes nothing of what is kept."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from counterpoint.bench import runner_speed
from counterpoint.bench.model import load_pipeline
from counterpoint.bench.recipe import Recipe, parse_recipe
from counterpoint.bench.run import run
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput


def test_both_sides_draw_the_same_pictures(tiny_model_path: str) -> None:
    figures = runner_speed.measure(tiny_model_path, count=4, rounds=2, steps=2, batch=4)
    for name in ("plain", "counterpoint"):
        assert figures[f"{name}: pictures within 2 levels of the loop's"].value == 1.0
        assert figures[f"{name}: the runner by the loop"].n == 2
        assert figures[f"{name}, a loop: pictures a second"].low > 0.0


def test_wrong_counts_are_refused(tiny_model_path: str) -> None:
    with pytest.raises(InvalidInput, match="even"):
        runner_speed.measure(tiny_model_path, count=3, rounds=1, steps=1, batch=1)


def test_pictures_of_a_batch_are_written_side_by_side(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, lock = Store.write_picture, threading.Lock()
    now, most = 0, 0

    def slow(self: Store, key: str, *rest: Any) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.1)
        whole(self, key, *rest)
        assert self.read("records", key) is not None and self.picture_path(key).is_file()
        with lock:
            now -= 1

    monkeypatch.setattr(Store, "write_picture", slow)
    assert run(recipe, tmp_path / "run", stages=("generate",)).drawn == 24
    assert most == recipe.batch_size


def test_a_full_disk_stops_the_run_and_keeps_the_rest(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = Store.write_picture, tmp_path / "run"
    calls = itertools.count()

    def full(self: Store, key: str, *rest: Any) -> None:
        if next(calls) >= 7:
            raise OSError(28, "no space left")
        whole(self, key, *rest)

    monkeypatch.setattr(Store, "write_picture", full)
    with pytest.raises(OSError, match="no space"):
        run(recipe, out, stages=("generate",))
    monkeypatch.setattr(Store, "write_picture", whole)
    assert run(recipe, out, stages=("generate",)).drawn == 24 - 7


def test_a_prompt_that_stands_twice_is_drawn_under_one_key(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    path = Path(recipe_content["datasets"][0]["options"]["path"])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1], lines[1]]) + "\n")
    out = tmp_path / "run"
    outcome = run(parse_recipe(recipe_content), out)
    assert (outcome.planned, outcome.failed, outcome.lacking) == (28, 0, 0)
    assert len(list((out / "pictures").rglob("*.png"))) == 24
    assert not list(out.rglob(".*.tmp"))


def test_on_a_cpu_pictures_are_decoded_one_by_one(tiny_model_path: str) -> None:
    assert load_pipeline(tiny_model_path).vae.use_slicing
