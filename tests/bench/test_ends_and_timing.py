"""The pages of both ends of the dial and of seconds: what counts as equal, and what a row may be called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from counterpoint import SafePipeline
from counterpoint.bench import ends, scenes, timing
from counterpoint.bench.cases import scenes_cases
from counterpoint.interfaces import SafetyFailure


def test_equality_is_counted_bit_for_bit_and_by_the_range() -> None:
    wanted = [torch.tensor([[0.0, 10.0]])] * 3
    drawn = [wanted[0], wanted[0] + 5e-4, wanted[0] + 1.0]
    figures = ends.compared(drawn, wanted)
    assert figures["bit for bit"].value == pytest.approx(1 / 3)
    assert figures["within 0.0001 of the range"].value == pytest.approx(2 / 3)
    assert figures["largest difference"].value == pytest.approx(0.1)


def test_both_ends_are_the_plain_pipeline_on_the_embedded_model(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        ends, "SCHEDULERS", {"DDIM": "DDIMScheduler", "Euler ancestral": ends.SCHEDULERS["Euler ancestral"]}
    )
    out = tmp_path / "ends.json"
    assert scenes.main(["ends", "--out", str(out), "--count", "1", "--steps", "3", "--threads", "1"]) == 0
    figures = json.loads(out.read_text())["figures"]
    assert len(figures) == 2 * 2 * 2 * 3
    for name, figure in figures.items():
        if "within" in name or name.endswith("weight 0: bit for bit"):
            assert figure["value"] == 1.0, name


def test_a_gate_that_lets_a_prompt_pass_stops_the_comparison(tiny_pipe: Any) -> None:
    cases = scenes_cases("benign", split="test", count=1)

    class Bench:
        pipe = tiny_pipe

    with pytest.raises(SafetyFailure, match="does not engage on 1 of 1"):
        ends.measure(Bench(), cases, cases, 2)  # type: ignore[arg-type]


def test_a_row_is_what_it_is_called(tiny_pipe: Any) -> None:
    case = scenes_cases("proximal", split="test", count=1)[0]
    assert timing.one_picture(tiny_pipe, case, action=None, num_inference_steps=1) > 0
    with pytest.raises(SafetyFailure, match="its row is of prompts that are steered"):
        timing.one_picture(SafePipeline(tiny_pipe), case, action="steered", num_inference_steps=1)


def test_seconds_of_each_level_and_of_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "DEMO_RUNS", 1)
    monkeypatch.setattr(timing, "DEMO", (*timing.DEMO[:-1], "--steps", "1", "--out"))
    out = tmp_path / "seconds.json"
    assert scenes.main(["seconds", "--out", str(out), "--count", "1", "--steps", "1", "--threads", "1"]) == 0
    figures = json.loads(out.read_text())["figures"]
    assert set(figures) == {
        *(
            f"one picture, {name}"
            for name in ("plain", "harmless", "low", "medium", "high", "max", "the slowest of all")
        ),
        "the demo",
    }
    assert figures["one picture, the slowest of all"]["value"] >= figures["one picture, max"]["value"] > 0
