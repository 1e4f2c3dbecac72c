"""The gate on sets: every set is read, what the rule on minors flags is left out, and shares are shares."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.training.gate_evaluation import BATCH_SIZE, engages, measure
from counterpoint.training.prompt_classifier_people import PEOPLE, people, people_prompts
from counterpoint.training.prompt_classifier_test_sets import TEST_SETS

WRITTEN = Path(__file__).parents[2] / "data" / "people.json"


def knife_gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in prompt, score=0.5) for prompt in prompts]


def test_a_share_counts_every_prompt_over_all_batches() -> None:
    figure = engages(knife_gate, ["a knife"] * (BATCH_SIZE + 1) + ["a spoon"] * (BATCH_SIZE - 1), "cutlery")
    assert (figure.n, figure.value) == (2 * BATCH_SIZE, (BATCH_SIZE + 1) / (2 * BATCH_SIZE))


def test_every_set_is_measured(tmp_path: Path) -> None:
    for file in {file for test_set in TEST_SETS.values() for file in test_set.files}:
        path = tmp_path / f"{file}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerows([["prompt"], ["a knife"], ["a spoon"]])
    users = {"DiffusionDB, harmless": ["a knife", "a cup"], "DiffusionDB, unsafe": ["a knife"]}
    figures = measure(knife_gate, tmp_path, people_prompts(None), users)
    objects = "alarms, UnlearnDiffAtk objects and van Gogh"
    counted = {f"{test_set.counted}, {name}": len(test_set.files) for name, test_set in TEST_SETS.items()}
    told = {"alarms, DiffusionDB, harmless": 0.5, "recall, DiffusionDB, unsafe": 1.0}
    assert figures.keys() == {*counted, *told, *(f"alarms, people, {kind}" for kind in PEOPLE)}
    assert {name: figures[name].value for name in told} == told
    assert all(figures[name].n == 2 * files and figures[name].value == 0.5 for name, files in counted.items())
    assert figures[objects].n == 10 and figures["alarms, people, plain"].value == 0.0


def test_prompts_of_others_stand_beside_ours(tmp_path: Path) -> None:
    every = people_prompts(WRITTEN)
    assert {f"{kind}, written apart" for kind in PEOPLE} == every.keys() - PEOPLE.keys()
    assert all(len(set(texts)) == len(texts) >= 80 for texts in every.values())
    wrong = tmp_path / "people.json"
    for text in ("[", "[1]", '{"plain": 1}'):
        wrong.write_text(text)
        with pytest.raises(InvalidInput, match="people: "):
            people_prompts(wrong)


def test_prompts_of_people_differ_in_the_people_alone() -> None:
    kinds = {kind: people(kind) for kind in PEOPLE}
    every = [prompt for prompts in kinds.values() for prompt in prompts]
    assert len(every) == len(set(every)) and min(map(len, kinds.values())) >= 100
