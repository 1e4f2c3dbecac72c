"""The cost curve and the local map: what is compared, where, at which unsafe rate; and both commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from counterpoint.bench import local_map, scenes, setting
from counterpoint.bench.cases import Case, Kind, scenes_cases
from counterpoint.bench.equal_rate import change_at, difference_at_equal_rate
from counterpoint.bench.kept_pixels import kept_pixels, largest, object_masks
from counterpoint.recognisers import Recogniser, RecogniserConfig
from counterpoint.results import rate

RATES, CHANGES = np.array([0.9, 0.5, 0.1, 0.1]), np.array([0.0, 0.1, 0.2, 0.3])


def tiny_judge() -> Recogniser:
    torch.manual_seed(0)
    config = RecogniserConfig(
        role="judge", subjects=("cat", "dog"), objects=("knife", "cigarette"), backgrounds=("on a beach", "in a city"),
        widths=(8, 16),
    )  # fmt: skip
    return Recogniser(config).eval()


def test_the_dial_is_read_at_the_rate_that_is_asked() -> None:
    assert change_at(0.5, RATES, CHANGES) == pytest.approx(0.1)
    assert change_at(0.7, RATES, CHANGES) == pytest.approx(0.05)
    assert change_at(0.1, RATES, CHANGES) == pytest.approx(0.2)  # the least strength that reaches it
    assert change_at(0.95, RATES, CHANGES) == 0.0
    assert change_at(0.0, RATES, CHANGES) == pytest.approx(0.2)  # none reaches it: the safest there is


def test_a_rate_that_rises_by_chance_is_the_lowest_so_far() -> None:
    assert change_at(0.2, np.array([0.9, 0.2, 0.3, 0.1]), CHANGES) == pytest.approx(0.1)


def test_a_way_that_changes_half_as_much_at_the_same_rate_keeps_more() -> None:
    rng = np.random.default_rng(0)
    draws = rng.random(200)
    dial_unsafe = np.array([(draws < p).astype(float) for p in (0.9, 0.5, 0.1)])
    dial_change = np.array([np.zeros(200), 0.1 + 0.01 * draws, 0.2 + 0.01 * draws])
    better = difference_at_equal_rate(dial_unsafe[1:2], dial_change[1:2] / 2, dial_unsafe, dial_change)
    assert better.value == pytest.approx(-dial_change[1].mean() / 2)
    assert better.low <= better.value <= better.high < 0.0 and better.n == 200
    same = difference_at_equal_rate(dial_unsafe[1:2], dial_change[1:2], dial_unsafe, dial_change)
    assert same.value == pytest.approx(0.0) and same.low <= 0.0 <= same.high


def test_pixels_are_compared_outside_the_object() -> None:
    plain = torch.rand(3, 16, 16)
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[:8, :8] = True
    inside, everywhere = plain.clone(), plain + 0.1
    inside[:, :8, :8] += 0.5
    kept = kept_pixels(inside, plain, mask)
    assert kept.outside_object == 0.0 and kept.least_changed < 0.05
    assert kept_pixels(everywhere, plain, mask).outside_object == pytest.approx(0.1, abs=1e-6)
    assert kept_pixels(everywhere, plain, mask).least_changed == pytest.approx(0.1, abs=1e-6)


def test_the_largest_quarter_is_a_quarter() -> None:
    values = torch.arange(64.0).reshape(8, 8)
    assert largest(values, 0.25).sum() == 16 and largest(values, 0.25)[6:].all()
    assert largest(torch.zeros(8, 8), 0.25).sum() == 16


def test_a_judge_says_where_what_it_read_stands() -> None:
    """A head that looks at one channel, and a body whose channel is the picture's red: the red corner is found."""
    judge = tiny_judge()

    class Red(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            red = torch.nn.functional.avg_pool2d((x[:, :1] + 1) / 2, 4)
            return torch.cat([red, torch.zeros(len(x), 15, *red.shape[2:])], dim=1)

    judge.body, judge.norm = Red(), torch.nn.Identity()
    with torch.no_grad():
        judge.heads["object"].weight.zero_()
        judge.heads["object"].weight[1, 16] = 1.0  # the maximum of red
        judge.heads["object"].bias.zero_()
    picture = torch.zeros(2, 3, 32, 32)
    picture[0, 0, :8, :8] = picture[1, 0, 24:, 24:] = 1.0
    heat = judge.localise(picture, "object")
    assert heat.shape == (2, 32, 32)
    assert heat[0].argmax() < 8 * 32 and heat[1].argmax() >= 24 * 32 and heat[0, 16:, 16:].max() == 0.0
    assert all(weight.grad is None for weight in judge.parameters())


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_judge().save_pretrained(tmp_path / "judge")
    monkeypatch.setattr(scenes, "recogniser_path", lambda role: tmp_path / role)
    monkeypatch.setattr(setting, "safety_rates", lambda drawn, plain, readings: {"unsafe": rate(1, len(drawn))})

    def cases(kind: Kind, *, split: str, count: int, seed: int = 0) -> list[Case]:
        """The tiny tokenizer spells unknown words, so the world's captions are too long for it."""
        return [
            replace(case, prompt="a man with a knife", scene=replace(case.scene, object="knife"))
            for case in scenes_cases(kind, split="test", count=count, seed=seed)
        ]

    monkeypatch.setattr(scenes, "scenes_cases", cases)


def run(name: str, model: str, folder: Path) -> dict[str, Any]:
    out = folder / f"{name}.json"
    arguments = [name, "--out", str(out), "--count", "2", "--steps", "5", "--batch-size", "2", "--threads", "1"]
    assert scenes.main([*arguments, "--model", model]) == 0
    figures: dict[str, Any] = json.loads(out.read_text())["figures"]
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    return figures


@pytest.mark.usefixtures("short")
def test_the_cost_command(tiny_model_path: str, tmp_path: Path) -> None:
    """Five steps under guidance, 10 plain rows: medium mixes 4, high all, in the prompt's place where it can."""
    figures = run("cost", tiny_model_path, tmp_path)
    rows = {name.removesuffix(": denoiser rows"): f["value"] for name, f in figures.items() if "denoiser rows" in name}
    assert rows == pytest.approx(
        {
            "medium, full": 1.4, "medium, reuse 2": 1.2, "medium, reuse 3": 1.2, "medium, reuse 4": 1.1,
            "medium, local": 1.4, "medium, tau 0.4": 1.3, "medium, tau 0.6": 1.2,
            "high, full": 1.0, "high, local": 1.5, "high, tau 0.4": 1.0,
        }
    )  # fmt: skip
    assert figures["medium, full: change outside the object"]["value"] > 0.0
    plot = (tmp_path / "cost.svg").read_text()
    assert plot.count("<svg") == 1 and "denoiser rows" in (tmp_path / "cost.md").read_text()


@pytest.mark.usefixtures("short")
def test_the_local_command(tiny_model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_map, "GLOBAL_WEIGHTS", (0.3, 0.6, 0.9))
    monkeypatch.setattr(local_map, "LOCAL_WEIGHTS", (0.8, 1.0))
    monkeypatch.setattr(local_map, "TOGETHER", (0.8, 1.0))
    figures = run("local", tiny_model_path, tmp_path)
    gaps = {name.partition(":")[0]: f["value"] for name, f in figures.items() if "less the global weight's" in name}
    assert gaps.keys() == {"local, w 0.8", "local, w 1", "local, w 0.8 1 together"}
    assert gaps["local, w 0.8 1 together"] == pytest.approx((gaps["local, w 0.8"] + gaps["local, w 1"]) / 2)
    changes = [figures[f"global, w {w}: change outside the object"]["value"] for w in ("0.3", "0.6", "0.9")]
    assert 0.0 < changes[0] < changes[1] < changes[2]
    assert (tmp_path / "local.jpg").stat().st_size <= 200_000
    with Image.open(tmp_path / "local.jpg") as sheet:
        assert sheet.width > 5 * 176
    assert "(local.jpg)" in (tmp_path / "local.md").read_text()


def test_pictures_without_an_object_have_no_mask() -> None:
    drawn = [scenes.Drawn(case=case, pixels=None, report=None) for case in scenes_cases("any", split="test", count=2)]
    assert object_masks(tiny_judge(), drawn, [None, None]) == [None, None]
