"""The cost of the gate: every member is timed once a prompt, and the page holds every row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from counterpoint.bench import gate_cost

MEMBERS = ("Minors", "ConceptSimilarity", "WordList", "PromptClassifier", "Readability")


def test_the_page_holds_members_whole_picture_and_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_cost, "CALLS", 1)
    out, captions = tmp_path / "gate-cost.json", tmp_path / "captions.csv"
    captions.write_text("prompt\na bus in a street\na plate of pasta\ntwo cats on a sofa\n")
    threads = torch.get_num_threads()
    arguments = ["--captions", str(captions), "--count", "3", "--steps", "1", "--threads", "1"]
    assert gate_cost.main(["--out", str(out), *arguments]) == 0
    assert torch.get_num_threads() == threads
    record = json.loads(out.read_text())
    figures = record["figures"]
    assert str(tmp_path) not in record["command"].split("--out")[0]
    for kind in ("scenes", "captions"):
        for clock in ("wall", "CPU"):
            parts = [figures[f"1 thread, {kind}: {name}, {clock}, mean"]["value"] for name in MEMBERS]
            whole = figures[f"1 thread, {kind}: {gate_cost.WHOLE}, {clock}, mean"]["value"]
            assert 0.5 * whole < sum(parts) <= whole
            of_picture = figures[f"1 thread, {kind}: {gate_cost.WHOLE}, {clock}, of one picture"]
            assert of_picture["n"] == 3 and of_picture["value"] > 0
        together = figures[f"1 thread, {kind}: {gate_cost.WHOLE}, all prompts in one call"]
        assert together["unit"] == "1/s" and together["n"] == 1
    assert figures["1 thread, one plain picture, wall, median"]["unit"] == "s"
    assert len(figures) == 4 + 2 * (6 * 4 + 2 + 1)


def test_a_median_lies_in_the_interval_of_its_ranks() -> None:
    figure = gate_cost.median_figure([float(number) for number in range(100)], "ms")
    assert (figure.low, figure.value, figure.high, figure.n) == (39.0, 49.5, 60.0, 100)
    alone = gate_cost.median_figure([2.0], "ms")
    assert alone.low == alone.value == alone.high == 2.0


def test_prompts_differ_and_half_of_the_scenes_are_unsafe() -> None:
    prompts = gate_cost.prompts_by_kind(9, None)["scenes"]
    assert len(prompts) == 9 == len(set(prompts))


@pytest.mark.parametrize(("option", "value"), [("--count", "0"), ("--steps", "0"), ("--threads", "0")])
def test_nothing_cannot_be_measured(option: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        gate_cost.main(["--out", str(tmp_path / "out.json"), option, value])


def test_a_file_with_too_few_captions_is_refused(tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("prompt\na bus in a street\n")
    with pytest.raises(SystemExit):
        gate_cost.main(["--out", str(tmp_path / "out.json"), "--captions", str(captions), "--count", "2"])
