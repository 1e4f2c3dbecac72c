"""Graded prompts of users: parts that share none, unsafe ones more than once, and harmless ones with harm put in."""

from __future__ import annotations

import json
import lzma
import random
from collections import Counter
from pathlib import Path

import pytest
import torch

from counterpoint.detectors.prompt_classifier import CATEGORIES
from counterpoint.interfaces import InvalidInput
from counterpoint.training import prompt_classifier_evaluation as evaluation
from counterpoint.training.prompt_classifier_gallery import (
    FILES,
    PARTS,
    Grade,
    by_site_and_grade,
    gallery,
    key_of,
    read_gallery,
    read_grades,
    unseen,
    with_harm,
)
from counterpoint.training.prompt_classifier_twins import HARMS

SHIPPED = Path(__file__).parents[2] / "data" / "gallery.tsv.xz"


def compressed(path: Path, *lines: str) -> Path:
    path.write_bytes(lzma.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """220 prompts of one site, 80 of the other; every fourth with a knife, every eighth not clear; two of no grade."""
    texts = [f"chef number {i} with a {'knife' if i % 4 == 0 else 'spoon'}, oil on canvas" for i in range(300)]
    first, second, other = (tmp_path / path for paths in FILES.values() for path in paths)
    for path, some in ((first, texts[:200]), (second, texts[150:220])):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([{"text": text} for text in [*some, f"no grade in {path.name}"]]), encoding="utf-8")
    other.parent.mkdir()
    other.write_text("".join(f"{text}\n" for text in texts[220:]), encoding="utf-8")
    grades = [(1 if i % 8 == 0 else 2) if i % 4 == 0 else 0 for i in range(300)]
    parts = [PARTS[0] if i % 10 < 7 else PARTS[1] if i % 10 == 7 else PARTS[2] for i in range(300)]
    rows = [
        f"{key_of(text)}\t{g}\t{'violence' if g else ''}\t{part}"
        for text, g, part in zip(texts, grades, parts, strict=True)
    ]
    compressed(tmp_path / "grades.tsv.xz", *rows)
    return tmp_path


def test_parts_share_no_prompt_and_sites_are_told_apart(folder: Path) -> None:
    grades = read_grades(folder / "grades.tsv.xz")
    parts = {part: gallery(folder, grades, part) for part in PARTS}
    assert {part: len(some) for part, some in parts.items()} == {"train": 210, "validation": 30, "test": 60}
    assert len({one.text for some in parts.values() for one in some}) == 300
    for one in [one for some in parts.values() for one in some]:
        assert one.site == ("DiffusionDB" if int(one.text.split()[2]) < 220 else "Pick-a-Pic")
        assert (one.grade, one.category) == (0, None) if "spoon" in one.text else one.category == "violence"


def test_what_is_sexual_about_minors_is_read_for_the_rule_alone(folder: Path) -> None:
    grades = read_grades(folder / "grades.tsv.xz")
    one = next(name for name, grade in grades.items() if grade.part == "train")
    forbidden = grades | {one: Grade(grade=3, category=None, part="train")}
    everything, trained = read_gallery(folder, forbidden)["train"], gallery(folder, forbidden, "train")
    assert [text for text in everything if text.grade == 3] == [text for text in everything if text not in trained]
    assert len(everything) == len(trained) + 1 and not any(key_of(text.text) == one for text in trained)
    assert by_site_and_grade(everything)["DiffusionDB"].keys() == {0, 1, 2}


def test_near_copies_of_training_are_left_out_of_tests(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two prompts of the fixture that differ by a number alone share 8 of 10 words."""
    grades = read_grades(folder / "grades.tsv.xz")
    assert unseen(folder, grades) == []
    monkeypatch.setattr("counterpoint.training.prompt_classifier_gallery.NEAR", 0.9)
    assert unseen(folder, grades) == gallery(folder, grades, "test") != []


def test_a_prompt_is_named_by_what_every_detector_reads() -> None:
    assert key_of("a chef") == key_of("a  ｃｈｅｆ") != key_of("a cook")


def test_harm_stands_among_the_phrases_and_nothing_is_lost() -> None:
    rng, own = random.Random(0), ["a chef in a kitchen", "oil on canvas", "warm light"]
    changed = [with_harm(", ".join(own), rng) for _ in range(200)]
    assert {category for _, category in changed} == set(CATEGORIES)
    for text, category in changed:
        phrases = text.split(", ")
        assert phrases[0] == own[0] and [phrase for phrase in phrases if phrase in own] == own
        assert any(harm in text for harm in HARMS[category])
    assert with_harm("a chef", rng)[0].startswith("a chef, ")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "abc",
        "abc\t0\t",
        "abc\t3\tviolence\ttrain",
        "abc\t0\tviolence\ttrain",
        "abc\t2\t\ttrain",
        "abc\t2\tcooking\ttrain",
        "abc\t0\t\tlearn",
        "abc\t3\tsexual\ttrain",
        f"{'0' * 12}\t0\t\ttest",
    ],
)
def test_a_line_that_is_no_grade_is_named(tmp_path: Path, line: str) -> None:
    path = compressed(tmp_path / "grades.tsv.xz", f"{'0' * 12}\t0\t\ttest", line)
    with pytest.raises(InvalidInput, match=r"grades\.tsv\.xz, line 2"):
        read_grades(path)


def test_files_that_are_not_there_or_others_are_named(folder: Path) -> None:
    (folder / "bytes.tsv.xz").write_bytes(lzma.compress(b"\xff\xfe"))
    for name in ("none.tsv.xz", "bytes.tsv.xz"):
        with pytest.raises(InvalidInput, match="grades"):
            read_grades(folder / name)
    (folder / "pickapic" / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match=r"train\.txt"):
        gallery(folder, {}, "test")
    (folder / "imagereward" / "refl_data.json").write_text('[{"prompt": "a"}]')
    with pytest.raises(InvalidInput, match=r"refl_data\.json"):
        gallery(folder, {}, "test")


def test_the_grades_that_ship_with_the_source_hold_no_text() -> None:
    grades = read_grades(SHIPPED)
    assert len(grades) > 25_000 and all(len(name) == 12 and int(name, 16) >= 0 for name in grades)
    counts = Counter(one.grade for one in grades.values())
    assert counts[0] > counts[1] > counts[2] > 1700 and counts[3] > 300


def test_users_prompts_are_measured_by_their_grade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Told:
        def logits(self, texts: list[str]) -> tuple[torch.Tensor, None]:
            return torch.tensor([[5.0 if "knife" in text else -5.0] * 8 for text in texts]), None

    monkeypatch.setattr(evaluation, "unseen", lambda folder, grades: gallery(folder, grades, "test"))
    (folder / "pickapic" / "sfw_test.txt").write_text("a spoon\n\na knife\na fork\na cup\n")
    measured = evaluation.Measurement(folder, Told(), {"steer": 0.5})  # type: ignore[arg-type]
    measured.users(folder / "grades.tsv.xz")
    figures = {name: figure.value for name, figure in measured.figures.items()}
    assert figures == {
        **{f"{site}, unsafe / harmless": 1.0 for site in FILES},
        **{f"steer: alarms, {site}, harmless": 0.0 for site in FILES},
        **{f"steer: alarms, {site}, between": 1.0 for site in FILES},
        **{f"steer: recall, {site}, unsafe": 1.0 for site in FILES},
        "steer: alarms, Pick-a-Pic's list of harmless prompts": 0.25,
    }
    with pytest.raises(InvalidInput, match="grades"):
        evaluation.measure(measured, ["users"], people=None, grades=None, twins=1, undone=1, read=1)
