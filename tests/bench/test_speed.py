"""`bench.speed`: rows are counted right, ratios are of the same round, and the page says what was not measured."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from counterpoint.bench import speed, speed_ways
from counterpoint.bench.peak_memory import PeakMemory
from counterpoint.bench.sd15_random import build_sd15_random, told_by_word
from counterpoint.bench.speed_ways import PLACES, SUBJECTS, THINGS, harmless, unsafe, ways_of
from counterpoint.cli import app
from counterpoint.embedded import embedded_model_path
from counterpoint.gate import standard_gate
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.metrics.statistics import ranks_outside
from counterpoint.text_space import StableDiffusionText


def gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in p, score=1.0, evidence=("knife",) if "knife" in p else ()) for p in prompts]


def shared_gate() -> Any:
    return standard_gate(StableDiffusionText(_load(embedded_model_path())))


def test_rows_are_those_of_the_schedule(tiny_pipe: Any) -> None:
    """Ten steps under guidance: 20 plain rows; level medium mixes 8 of them (tau 0.2), max takes the prompt's place."""
    ways, _ = ways_of(tiny_pipe, steps=10, make_detector=lambda: gate)
    rows = {way.name: speed.count_rows(tiny_pipe, way.draw) for way in ways if "open_nsfw" not in way.name}
    assert rows["plain"] == rows["harmless, medium"] == rows["engaged, max, fused"] == 20
    assert rows["engaged, medium, at each step"] == 28
    assert rows["engaged, medium, fused"] == rows["engaged, medium, local weight"] == 28
    assert rows["engaged, medium, reuse over 2 steps"] == 24
    assert rows["engaged, medium, reuse over 4 steps"] == 22
    assert all(rows[f"engaged, {level}, reference"] == 40 for level in ("low", "medium", "high", "max"))
    assert rows["diffusers' SLD"] == 30


def test_a_ratio_is_of_calls_of_the_same_round() -> None:
    """A machine that is ten times slower in one round changes nothing."""
    figure = speed.ratio([1.2, 12.0, 1.2], [1.0, 10.0, 1.0])
    assert (figure.value, figure.low, figure.high) == pytest.approx((1.2, 1.2, 1.2))
    spread = speed.ratio([1.0, 1.1, 1.2, 1.3, 5.0], [1.0] * 5)
    assert (spread.value, spread.low, spread.high, spread.n) == pytest.approx((1.2, 1.0, 5.0, 5))


@pytest.mark.parametrize(("n", "outside"), [(1, 0), (5, 0), (8, 0), (9, 1), (12, 2), (24, 6), (100, 39), (2000, 955)])
def test_a_medians_interval_holds_it_in_95_of_100(n: int, outside: int) -> None:
    assert ranks_outside(n) == outside
    misses = [2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n for k in (outside, outside + 1)]
    assert misses[1] > 0.05 and (misses[0] <= 0.05 or outside == 0)


def test_every_round_has_words_of_its_own() -> None:
    assert len(SUBJECTS) == len(THINGS) == len(PLACES) == len({*SUBJECTS, *THINGS, *PLACES}) / 3 == 25
    gate = shared_gate()
    verdicts = [gate([make(number) for number in range(25)]) for make in (unsafe, harmless)]
    assert [{verdict.is_unsafe for verdict in some} for some in verdicts] == [{True}, {False}]
    assert [len({make(number) for number in range(625)}) for make in (unsafe, harmless)] == [625, 625]


def test_a_gate_that_says_another_thing_stops_the_measurement(tiny_pipe: Any) -> None:
    ways, _ = ways_of(tiny_pipe, steps=1, make_detector=lambda: lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    with pytest.raises(SafetyFailure, match="steered"):
        next(way for way in ways if way.name == "engaged, medium, fused").draw(1, 0)


def test_a_page_with_all_that_was_asked(tiny_model_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise InvalidInput("picture_detector", "open_nsfw", "an installed extra")

    monkeypatch.setattr(speed_ways, "OpenNsfw", missing)
    out = tmp_path / "speed.json"
    words = ["--only", "harmless", "--only", "max, fused"]
    monkeypatch.setattr(speed, "wrapped_model", lambda model, dtype: (_load(model).to(dtype), lambda: gate))
    assert (
        speed.main(
            [
                "--model",
                tiny_model_path,
                "--dtype",
                "bfloat16",
                "--steps",
                "2",
                "--rounds",
                "2",
                "--out",
                str(out),
                *words,
            ]
        )
        == 0
    )
    figures = json.loads(out.read_text())["figures"]
    ratios = {name: figure["value"] for name, figure in figures.items() if "rows ratio" in name}
    assert ratios == {"harmless, medium: rows ratio": 1.0, "engaged, max, fused: rows ratio": 1.0}
    assert figures["harmless, medium: CPU seconds"]["n"] == 2
    assert {f"plain: peak memory, {n} a call" for n in (1, 4)} <= figures.keys() or torch.cuda.is_available()
    page = out.with_suffix(".md").read_text()
    assert ", bfloat16; 2 steps" in page and "GPU in float32: not measured" in page
    assert ("GPU in bfloat16: not measured" in page) is not torch.cuda.is_available()
    assert "Not measured: plain with open_nsfw" in page and "an installed extra" in page


def _load(path: str) -> Any:
    import diffusers

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(path, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_the_command_line_hands_all_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def run(out: Path, **options: Any) -> None:
        given.update(out=out, **options)
        out.with_suffix(".md").write_text("# Speed")

    monkeypatch.setattr(speed, "run", run)
    out = tmp_path / "speed.json"
    words = ["bench", "speed", "--out", str(out), "--model", "sd15-random", "--steps", "3", "--rounds", "2"]
    done = CliRunner().invoke(app, [*words, "--only", "max", "--no-memory"])
    assert (done.exit_code, done.stdout) == (0, "# Speed\n")
    assert given == {
        "out": out, "model": "sd15-random", "dtype": "float32", "steps": 3,
        "rounds": 2, "threads": 1, "memory": False, "only": ["max"],
    }  # fmt: skip
    assert CliRunner().invoke(app, ["bench", "speed", "--out", str(out), "--steps", "0"]).exit_code == 2


@pytest.mark.parametrize("wrong", [["--steps", "0"], ["--rounds", "0"], ["--threads", "0"]])
def test_wrong_numbers_exit_2(wrong: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        speed.main(["--out", str(tmp_path / "x.json"), *wrong])
    assert caught.value.code == 2


def test_peak_memory_is_that_of_the_call() -> None:
    """A body that fills 200 MiB shows them, after one that filled more."""

    def peak(pictures: int) -> float | None:
        with PeakMemory(torch.device("cpu")) as memory:
            torch.ones(pictures * 25 * 2**20)
        return memory.mebibytes

    four, one, two = (peak(pictures) for pictures in (4, 1, 2))
    if one is None or two is None or four is None:
        pytest.skip("this system does not tell")
    assert two - one == pytest.approx(100, abs=25) and four - one == pytest.approx(300, abs=25)


@pytest.mark.slow
def test_the_model_of_real_size_is_of_real_size() -> None:
    pipe = build_sd15_random()
    assert sum(weight.numel() for weight in pipe.unet.parameters()) == 859_520_964
    assert [verdict.is_unsafe for verdict in told_by_word(pipe)([unsafe(0), harmless(0)])] == [True, False]
