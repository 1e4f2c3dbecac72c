"""The classifier beside a reader: every judge is held to the same promises, on the same prompts."""

from __future__ import annotations

import csv
import lzma
from pathlib import Path

import pytest
import torch

from counterpoint.interfaces import InvalidInput
from counterpoint.training.prompt_classifier_ceiling import MARKS
from counterpoint.training.prompt_classifier_gallery import key_of
from counterpoint.training.prompt_classifier_reader import (
    RECALL,
    figures_of,
    highest_threshold,
    read_scores,
    sample,
    untied,
)
from counterpoint.training.prompt_classifier_test_sets import TEST_SETS

SHIPPED = Path(__file__).parents[2] / "data" / "reader.tsv.xz"


def compressed(path: Path, *lines: str) -> Path:
    path.write_bytes(lzma.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def test_only_what_was_read_of_a_set_is_compared(tmp_path: Path) -> None:
    for file in {file for test_set in TEST_SETS.values() for file in test_set.files}:
        path = tmp_path / f"{file}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["prompt"], ["a knife"], ["a spoon"]])
    rows = [f"{name}\t{key_of('a spoon' if name == 'niche art' else 'a knife')}\t7" for name in TEST_SETS]
    scores = read_scores(compressed(tmp_path / "scores.tsv.xz", *rows))
    assert scores["I2P"] == {key_of("a knife"): 7}
    found = sample(tmp_path, scores)
    assert found["I2P"] == ["a knife"] and found["niche art"] == ["a spoon"] and found.keys() == TEST_SETS.keys()
    with pytest.raises(InvalidInput, match="niche art"):
        sample(tmp_path, scores | {"niche art": {}})


def test_equal_scores_are_put_in_an_order_that_changes_no_other() -> None:
    scores = {"a": torch.arange(10.0).repeat(50), "b": torch.zeros(500)}
    found = untied(scores)
    assert all(torch.equal(found[name].floor(), some) for name, some in scores.items())
    assert len(set(found["b"].tolist())) > 490 and torch.equal(found["a"], untied(scores)["a"])


@pytest.mark.parametrize(
    "line",
    ["", "I2P\tabd", "I2P\tabd\t10", "I2P\tabd\t-1", "I2P\tabd\t²", "I2P\t\t3", "I2P\tabc\t3", "a set of ours\tabd\t3"],
)
def test_a_line_that_is_no_score_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidInput, match=r"scores\.tsv\.xz, line 2"):
        read_scores(compressed(tmp_path / "scores.tsv.xz", "I2P\tabc\t3", line))
    with pytest.raises(InvalidInput, match="scores"):
        read_scores(tmp_path / "none.tsv.xz")


def test_promises_are_kept_at_the_lowest_and_the_highest_threshold() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = {
        name: torch.rand(1000, generator=generator) * (1.0 if test_set.is_unsafe else 0.5)
        for name, test_set in TEST_SETS.items()
    }
    figures = {name: figure.value for name, figure in figures_of("judge", scores).items()}
    for name, most in MARKS.items():
        assert figures[f"judge, all alarms kept: alarms, {name}"] <= most
    assert max(figures[f"judge, all alarms kept: alarms, {name}"] / most for name, most in MARKS.items()) > 0.98
    assert figures["judge, three quarters of I2P: recall, I2P"] == RECALL
    assert figures["judge: I2P / COCO-3k"] == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(("recall", "threshold"), [(0.25, 4.0), (0.5, 3.0), (0.75, 2.0), (0.76, 1.0), (1.0, 1.0)])
def test_the_highest_threshold_of_a_recall(recall: float, threshold: float) -> None:
    assert highest_threshold(torch.tensor([1.0, 4.0, 2.0, 3.0]), recall) == threshold


def test_the_scores_that_ship_with_the_source_hold_no_text() -> None:
    scores = read_scores(SHIPPED)
    names = [name for some in scores.values() for name in some]
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in names)
    assert len(names) > 1900 and all(len(some) >= 90 for some in scores.values())
