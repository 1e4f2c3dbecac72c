"""Recipes: sweeps, the plain model, and errors that name the field and what is allowed."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from diffusers.pipelines.deprecated.stable_diffusion_safe.pipeline_stable_diffusion_safe import (
    StableDiffusionPipelineSafe,
)

from counterpoint.bench.plan import derived_seed
from counterpoint.bench.recipe import load_recipe, parse_recipe, preset_names
from counterpoint.bench.shard import parse_shard
from counterpoint.interfaces import InvalidInput
from counterpoint.methods.catalogue import names as method_names

SMALL: dict[str, Any] = {"name": "x", "methods": [{"name": "sld"}], "datasets": [{"name": "scenes"}]}


def test_the_plain_model_is_always_there_and_first() -> None:
    assert parse_recipe(SMALL).labels() == ["plain", "sld"]
    assert parse_recipe({**SMALL, "methods": [{"name": "sld"}, {"name": "plain"}]}).labels() == ["plain", "sld"]


def test_a_sweep_is_written_out() -> None:
    method = {"name": "dual_latent", "label": "ours", "options": {"tau": 0.0}, "sweep": {"safety": [0.5, 1.0]}}
    expanded = parse_recipe({**SMALL, "methods": [method]}).expanded()
    assert [label for label, _ in expanded] == ["plain", "ours safety 0.5", "ours safety 1.0"]
    assert expanded[2][1].options == {"tau": 0.0, "safety": 1.0}


@pytest.mark.parametrize(
    ("change", "field", "allowed"),
    [
        ({"stepz": 3}, "stepz", "steps"),
        ({"methods": [{"name": "sld", "option": {}}]}, "methods.0.option", "options"),
        ({"datasets": [{"name": "scenes", "kind": "unsafe"}]}, "datasets.0.kind", "limit"),
        ({"steps": 0}, "steps", "1"),
        ({"steps": "ten"}, "steps", "integer"),
        ({"seeds": []}, "seeds", "1"),
        ({"size": "large"}, "size", "model"),
        ({"methods": []}, "methods", "1"),
        ({"methods": [{"name": "sld"}, {"name": "sld"}]}, "recipe", "label"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_recipe({**SMALL, **change})
    assert caught.value.field == field and allowed in caught.value.allowed


def test_every_preset_is_valid_and_names_methods_that_exist() -> None:
    assert set(preset_names()) >= {"scenes-smoke", "scenes", "i2p", "visu", "coco"}
    for name in preset_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert {method.name for method in recipe.methods} <= set(method_names())


def published_concept() -> str:
    """What SLD's pipeline in diffusers is told."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(StableDiffusionPipelineSafe.__init__)))
    (value,) = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "safety_concept"
    )
    assert value is not None
    return str(ast.literal_eval(value))


@pytest.mark.parametrize("preset", ["i2p", "visu", "coco"])
def test_rivals_on_real_models_are_told_what_is_published_and_keep_something(preset: str) -> None:
    options = [(method.name, method.options) for method in load_recipe(preset).methods]
    told = {name: given["concepts"] for name, given in options if "concepts" in given}
    for name in ("sld", "sega", "negative_prompt"):
        assert ", ".join(told[name]) == published_concept()
    for name in ("safree", "uce", "rece", "esd"):
        assert set(told[name]) <= set(published_concept().removeprefix("an image showing ").split(", "))
        assert len(told[name]) == 19
    assert all(len(given["kept_concepts"]) > 50 for name, given in options if name in ("uce", "rece"))


def test_paths_start_from_the_files_folder_or_from_data(tmp_path: Path) -> None:
    content = {**SMALL, "datasets": [{"name": "coco", "options": {"path": "sub/coco.csv"}}]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    assert load_recipe(str(path)).datasets[0].options["path"] == str(tmp_path / "sub" / "coco.csv")
    assert load_recipe(str(path), data="/elsewhere").datasets[0].options["path"] == "/elsewhere/sub/coco.csv"
    assert load_recipe(str(path), changes={"steps": 7}).steps == 7


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", ""])
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InvalidInput):
        load_recipe(str(tmp_path / "r.yaml"))


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="scenes-smoke"):
        load_recipe("scenes-smok")


def test_the_first_seed_is_the_rows_own_and_others_differ_by_row() -> None:
    assert derived_seed(7, 0) == 7
    assert len({derived_seed(own, number) for own in (7, 8) for number in (0, 1, 2)}) == 6


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="shard"):
        parse_shard(text)


def test_shards_part_the_work() -> None:
    parts = [parse_shard(f"{n}/3").of(range(10)) for n in (1, 2, 3)]
    assert sorted(number for part in parts for number in part) == list(range(10))
