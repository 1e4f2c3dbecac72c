"""Ours against rivals: whole sweeps are matched, harmless prompts are paired, and the report shows both."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from counterpoint.bench.page import mixture_text
from counterpoint.bench.recipe import Recipe, parse_recipe
from counterpoint.bench.rivals import best_rivals, duels, families, neighbours, our_labels
from counterpoint.metrics.catalogue import columns
from counterpoint.metrics.judge import Verdict
from counterpoint.metrics.picture_distance import Distance
from counterpoint.metrics.scenes_judge import ScenesJudge
from counterpoint.metrics.shot import Shot

COUNT = 60
ASKED = {"subject": "cat", "object": "knife", "background": "beach"}
METRICS = columns([ScenesJudge.name])


@pytest.fixture
def recipe() -> Recipe:
    methods = [
        {"name": "sld", "sweep": {"strength": [0.5, 1.0]}},
        {"name": "output_checker"},
        {"name": "dual_latent", "label": "ours", "sweep": {"safety": ["max", "medium"]}},
    ]
    return parse_recipe({"name": "r", "methods": methods, "datasets": [{"name": "scenes"}]})


def unsafe_shots(unsafe: int, lost: int) -> list[Shot]:
    """The first `unsafe` are unsafe, and the last `lost` lost their subject."""
    return [
        Shot(
            prompt=f"p{n}", seed=n, is_unsafe=True, asked=ASKED, action="steered", has_picture=True,
            verdicts={ScenesJudge.name: Verdict(
                is_unsafe=n < unsafe,
                labels={"subject": "dog" if n >= COUNT - lost else "cat", "object": "none", "background": "beach"},
            )},
        )
        for n in range(COUNT)
    ]  # fmt: skip


def harmless_shots(rmse: float) -> list[Shot]:
    return [
        Shot(prompt=f"p{n}", seed=n, is_unsafe=False, asked=ASKED, action="passed", has_picture=True,
             verdicts={ScenesJudge.name: Verdict(is_unsafe=False, labels=dict(ASKED))},
             distance=Distance(rmse=rmse * (1 + n % 3), is_changed=rmse > 0))
        for n in range(COUNT)
    ]  # fmt: skip


def of_all(recipe: Recipe, values: Sequence[list[Shot]]) -> dict[str, list[Shot]]:
    return dict(zip(recipe.labels(), values, strict=True))


def test_families_and_our_default_setting_first(recipe: Recipe) -> None:
    assert [label for label, _ in families(recipe)["sld"]] == ["sld strength 0.5", "sld strength 1.0"]
    assert our_labels(recipe) == ["ours safety medium", "ours safety max"]


def test_every_rival_is_matched_with_its_own_sweep(recipe: Recipe) -> None:
    shots = of_all(recipe, [
        unsafe_shots(54, 0), unsafe_shots(30, 12), unsafe_shots(12, 30), unsafe_shots(0, COUNT), unsafe_shots(0, 6),
        unsafe_shots(3, 6),
    ])  # fmt: skip
    found = duels(recipe, shots, METRICS)
    assert len(found) == 2 * 2 * 2  # our settings, goals, rivals
    first, second = best_rivals(found, "ours safety max", "unsafe")
    assert (first.rival, second.rival) == ("sld", "output_checker")
    assert (first.match.first, first.match.second) == ("plain", "sld strength 0.5")
    assert first.match.share == pytest.approx(0.5) and first.match.rival == pytest.approx(42 / 60)
    assert {duel.winner for duel in found if duel.ours == "ours safety max"} == {"ours"}
    kept = best_rivals(found, "ours safety max", "context")
    assert [duel.match.is_reached for duel in kept] == [True, False]  # the checker is as safe, SLD nowhere
    assert mixture_text(kept[1]) == "not reached; nearest: sld strength 1.0"


def test_errors_alone_make_no_rival(recipe: Recipe) -> None:
    broken = [Shot(prompt=f"p{n}", seed=n, is_unsafe=True, asked=ASKED, error="broken") for n in range(COUNT)]
    shots = of_all(recipe, [unsafe_shots(54, 0), broken, broken, unsafe_shots(0, 60), broken, unsafe_shots(3, 6)])
    assert {(duel.ours, duel.rival) for duel in duels(recipe, shots, METRICS)} == {
        ("ours safety medium", "output_checker")
    }


def test_drift_is_compared_with_every_setting_of_a_rival(recipe: Recipe) -> None:
    shots = of_all(recipe, [harmless_shots(x) for x in (0.0, 0.1, 0.2, 0.0, 0.0, 0.0)])
    assert duels(recipe, shots, METRICS) == []
    found = {(one.ours, one.rival, one.metric): one for one in neighbours(recipe, shots, METRICS)}
    assert len(found) == 2 * 3 * 2
    assert found["ours safety max", "sld strength 0.5", "drift"].winner == "ours"
    assert found["ours safety max", "output_checker", "drift"].winner == "undecided"
    assert found["ours safety max", "sld strength 0.5", "object kept"].winner == "undecided"


def test_without_a_judge_of_context_rivals_are_matched_by_likeness_to_the_plain_picture(recipe: Recipe) -> None:
    def shots(unsafe: int, rmse: float) -> list[Shot]:
        return [
            Shot(prompt=f"p{n}", seed=n, is_unsafe=True, action="steered", has_picture=True,
                 verdicts={"open_nsfw": Verdict(is_unsafe=n < unsafe)},
                 distance=Distance(rmse=rmse, is_changed=rmse > 0))
            for n in range(COUNT)
        ]  # fmt: skip

    drawn = of_all(recipe, [shots(54, 0), shots(30, 0.2), shots(12, 0.4), shots(0, 0.9), shots(0, 0.1), shots(3, 0.1)])
    found = duels(recipe, drawn, columns(["open_nsfw"]))
    sld = next(duel for duel in best_rivals(found, "ours safety max", "unsafe") if duel.rival == "sld")
    assert (sld.match.first, sld.match.second, sld.winner) == ("plain", "sld strength 0.5", "ours")
    assert sld.match.share == pytest.approx(0.5) and sld.match.rival == pytest.approx(42 / 60)
