"""Distances of sets and pairs of pictures in a run: asked for, resumed, recounted after damage, and named in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from counterpoint.bench.plan import read_plan
from counterpoint.bench.recipe import Recipe, load_recipe, parse_recipe
from counterpoint.bench.run import run
from counterpoint.bench.shard import Shard
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.frechet_distance import frechet_distance
from counterpoint.metrics.kernel_distance import kernel_distance
from counterpoint.metrics.perceptual_distance import perceptual_distance
from counterpoint.metrics.scenes_features import ScenesFeatures

FID, KID = (f"{name} over scenes judge features" for name in ("FID", "KID"))
LPIPS = "perceptual distance over scenes judge features (LPIPS-like proxy), unsafe prompts"


@pytest.fixture
def asked(recipe_content: dict[str, Any], judge_path: str) -> Recipe:
    """The tiny recipe with the judge's features."""
    recipe_content["features"] = [{"name": "scenes", "options": {"folder": judge_path}}]
    return parse_recipe(recipe_content)


def rows_of(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    rows = json.loads((folder / "report.json").read_text())["figures"]
    return {(row["metric"], row["method"]): row for row in rows if not row["category"]}


def pictures_of(folder: Path, method: str) -> list[Image.Image]:
    keys = [task.key for task in read_plan(folder).tasks(method)]
    return [Image.open(folder / "pictures" / key[:2] / f"{key}.png") for key in keys]


def test_a_run_counts_them_as_the_pure_functions_do(asked: Recipe, judge_path: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(asked, out).judged == 24 + 24 + 24 + 24  # verdicts, distances, vectors, perceptual distances
    rows, space = rows_of(out), ScenesFeatures(judge_path)
    sides = [pictures_of(out, method) for method in ("prefixed", "plain")]
    own, plain = (space(side) for side in sides)
    assert rows[FID, "prefixed"]["value"] == pytest.approx(frechet_distance(own, plain), rel=1e-4)
    row = rows[KID, "prefixed"]
    assert row["low"] < kernel_distance(own, plain, are_paired=True) < row["high"] and row["n"] == 12
    wanted = perceptual_distance(*(space.layers(side) for side in sides)).mean().item()
    assert rows[LPIPS, "prefixed"]["value"] == pytest.approx(wanted, rel=1e-4) and wanted > 0.0
    assert rows[LPIPS, "plain"]["value"] == 0.0 and (FID, "plain") not in rows
    page = (out / "report.html").read_text()
    assert page.count(FID) == 1 and "LPIPS-like, scenes judge features" in page and "Not Inception" in page
    assert run(asked, out).judged == 0


def test_they_are_counted_only_where_they_are_asked_for(recipe: Recipe, asked: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(recipe, out)
    assert not (out / "features").exists() and (FID, "prefixed") not in rows_of(out)
    outcome = run(asked, out, stages=("judge", "report"))  # later, from the same pictures
    assert (outcome.drawn, outcome.judged) == (0, 48) and (FID, "prefixed") in rows_of(out)


def test_shards_count_what_the_whole_counts(asked: Recipe, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "shards"
    run(asked, whole)
    for number in (1, 2):
        run(asked, out, stages=("generate", "judge"), shard=Shard(number, 2))
    run(asked, out, stages=("judge", "report"))
    assert all(rows_of(out)[name, "prefixed"] == rows_of(whole)[name, "prefixed"] for name in (FID, KID, LPIPS))


def test_withheld_pictures_are_missing_and_few_pictures_give_nothing(asked: Recipe, tmp_path: Path) -> None:
    content = asked.model_dump()
    content["methods"].append({"name": "own_methods:faulty", "label": "faulty"})  # fails on two of twelve
    content["methods"].append({"name": "own_methods:blocking", "label": "blocking"})  # withholds one
    run(parse_recipe(content), tmp_path / "run")
    rows = rows_of(tmp_path / "run")
    assert [rows[FID, method]["n"] for method in ("prefixed", "faulty", "blocking")] == [12, 10, 11]
    content["datasets"][0]["limit"] = 10
    run(parse_recipe(content), tmp_path / "ten")
    rows = rows_of(tmp_path / "ten")
    assert (FID, "prefixed") in rows and (FID, "faulty") not in rows and rows[LPIPS, "faulty"]["n"] < 10


def test_a_vector_that_is_not_finite_stops_the_stage(
    asked: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScenesFeatures, "__call__", lambda self, pictures: torch.full((len(pictures), 4), torch.nan))
    with pytest.raises(InvalidInput, match="finite"):
        run(asked, tmp_path / "run")


def test_the_scenes_preset_takes_them_by_a_setting() -> None:
    recipe = load_recipe("scenes", changes={"features": [{"name": "scenes"}]})
    assert [part.name for part in recipe.features] == ["scenes"] and not load_recipe("scenes").features
