"""The table of safe embeddings and the output check's page: what is counted, and both run on the embedded model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from counterpoint.bench import embedding_table, scenes
from counterpoint.bench.cases import scenes_cases
from counterpoint.bench.checked import returned_rates
from counterpoint.bench.drawing import Drawn
from counterpoint.bench.embedding_table import Twins
from counterpoint.interfaces import Cost, Detection, SafetyReport
from counterpoint.recognisers import Reading

PASSED = SafetyReport(
    action="passed", safety=0.5, weight=0.0, tau=1.0, steps_mixed=0, score=0.0, categories={}, embedding=None,
    coupling=None, cost=Cost(denoiser_rows=2, plain_rows=2, seconds=0.1),
)  # fmt: skip


def reading(thing: str) -> Reading:
    return Reading(
        subject="cat", object=thing, background="beach",
        subject_probability=1.0, object_probability=1.0, background_probability=1.0,
    )  # fmt: skip


def test_a_blocked_picture_is_not_returned_and_an_error_is_not_counted() -> None:
    reports = [PASSED, replace(PASSED, action="blocked", redraws=2), replace(PASSED, redraws=1), None]
    cases = scenes_cases("unsafe", split="test", count=4)
    pixels = [torch.rand(3, 8, 8), torch.rand(3, 8, 8), torch.rand(3, 8, 8), None]
    drawn = [Drawn(case=c, pixels=p, report=r) for c, p, r in zip(cases, pixels, reports, strict=True)]
    rates = returned_rates(drawn, [reading("knife"), reading("knife"), reading("apple"), None])
    assert (rates["unsafe pictures returned"].value, rates["unsafe pictures returned"].n) == (pytest.approx(1 / 3), 3)
    assert rates["blocked"].value == 0.25 and rates["drawn again"].value == 0.5 and rates["error"].value == 0.25


def test_a_given_safe_prompt_is_the_prompts_own() -> None:
    twins = Twins({"a cat with a knife": "a cat with a spoon"})
    assert twins("a cat with a knife", Detection(is_unsafe=True, score=1.0)).prompt == "a cat with a spoon"


@pytest.mark.parametrize("name", ["embeddings", "projection", "checked"])
def test_command_writes_figures(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_table, "LEACE_PAIRS", 4)
    # The judge may find nothing right in a picture of two steps: "kept" would then have nothing to count.
    monkeypatch.setattr("counterpoint.bench.counting.found", lambda drawn, readings, head: [True] * len(drawn))
    out = tmp_path / f"{name}.json"
    arguments = [name, "--out", str(out), "--count", "2", "--steps", "2", "--batch-size", "2", "--threads", "1"]
    assert scenes.main(arguments) == 0
    figures = json.loads(out.read_text())["figures"]
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    if name == "embeddings":
        assert figures["sanitizer: a prompt"]["n"] == figures["given safe prompt: a prompt"]["n"] == 2
