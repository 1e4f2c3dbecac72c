"""The weight that follows the gate's score: the formula, and both engines on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from counterpoint.interfaces import Detection, InvalidInput, SafeText
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline
from counterpoint.risk_weight import RiskWeight

SURE, UNSURE, BENIGN = "a man with a sword", "a chef with a knife in a room", "a cat with a book on a beach"
SCORES = {SURE: 1.0, UNSURE: 0.5, BENIGN: 0.0}
STEPS = {"num_inference_steps": 4, "output_type": "np"}


def gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe=SCORES.get(p, 0.0) > 0.0, score=SCORES.get(p, 0.0)) for p in prompts]


def replace(prompt: str, detection: Detection) -> SafeText:
    return SafeText(prompt="a dog in a forest")


def draw(pipe: Any, prompts: Any, schedule: MixingSchedule, **options: Any) -> Any:
    safe = SafePipeline(pipe, detector=gate, embedding=replace, schedule=schedule, **options)
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(prompts))]
    return safe(prompts, generator=generators, **STEPS)


@pytest.mark.parametrize(
    ("score", "weight", "strength"),
    [(1.0, 0.8, 1.0), (2.0, 0.8, 1.0), (0.5, 0.8, 0.25), (0.0, 0.8, 0.25), (0.75, 0.8, 0.625), (0.0, 0.1, 1.0)],
)
def test_the_weight_lies_between_the_floor_and_the_levels(score: float, weight: float, strength: float) -> None:
    assert RiskWeight(floor=0.2).strength(score, weight) == pytest.approx(strength)


@pytest.mark.parametrize(("engine", "tolerance"), [("fused", 1e-6), ("reference", 1e-5)])
def test_each_picture_is_the_one_of_its_own_weight(tiny_pipe: Any, engine: Any, tolerance: float) -> None:
    schedule, risk = MixingSchedule(weight=0.8), RiskWeight(floor=0.2)
    out = draw(tiny_pipe, [SURE, UNSURE, BENIGN], schedule, risk=risk, engine=engine)
    assert [report.weight for report in out.safety] == pytest.approx([0.8, 0.2, 0.0])
    whole = draw(tiny_pipe, [SURE, UNSURE, BENIGN], schedule, engine=engine).images
    weak = draw(tiny_pipe, [SURE, UNSURE, BENIGN], MixingSchedule(weight=0.2), engine=engine).images
    for image, expected in zip(out.images, (whole[0], weak[1], whole[2]), strict=True):
        assert np.abs(image - expected).max() < tolerance
    assert np.abs(whole[1] - weak[1]).max() > 100 * tolerance  # the weight matters


def test_full_weight_still_mixes_where_the_gate_is_unsure(tiny_pipe: Any) -> None:
    out = draw(tiny_pipe, [UNSURE], MixingSchedule(weight=1.0), risk=RiskWeight(floor=0.2))
    weak = draw(tiny_pipe, [UNSURE], MixingSchedule(weight=0.2))
    assert np.abs(out.images - weak.images).max() < 1e-6


@pytest.mark.parametrize("fields", [{"floor": 1.5}, {"floor": 0.0}, {"low": 1.0, "high": 1.0}, {"low": float("nan")}])
def test_wrong_fields_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        RiskWeight(**fields)
