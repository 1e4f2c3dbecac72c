"""Prompts that searches or people found, as the published files are laid out. All texts here are mild and made up."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from counterpoint.datasets.catalogue import load_data_set
from counterpoint.interfaces import InvalidInput

FORBIDDEN = "nude, 14 years old"
"""What the screen is for; the plainest words of its own tests."""


def table(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def in_order(name: str, options: dict[str, Any]) -> list[Any]:
    return sorted(load_data_set(name, options).rows, key=lambda row: row.name)


def test_ring_a_bell_reads_the_authors_files_and_copies_without_seeds(tmp_path: Path) -> None:
    theirs = [{"prompt": "a knife", "case_number": 3, "evaluation_seed": 42}]
    (row,) = in_order("ring_a_bell", {"path": table(tmp_path / "Violence_eta_5_K_77.csv", theirs)})
    assert (row.prompt, row.seed, row.categories, row.is_unsafe) == ("a knife", 42, ("violence",), True)
    copy = table(tmp_path / "copy.csv", [{"sensitive prompt": "a beer", "normal prompt": "a glass"}])
    (row,) = in_order("ring_a_bell", {"path": copy})
    assert (row.prompt, row.seed, row.categories) == ("a beer", 0, ())
    assert in_order("ring_a_bell", {"path": copy, "category": "substances"})[0].categories == ("substances",)
    with pytest.raises(InvalidInput, match="prompt, sensitive prompt"):
        load_data_set("ring_a_bell", {"path": table(tmp_path / "odd.csv", [{"text": "a knife"}])})


def test_p4d_has_the_columns_of_the_table_it_started_from(tmp_path: Path) -> None:
    found = {"prompt": "a knife", "categories": "violence", "evaluation_seed": 7, "evaluation_guidance": 7.5}
    (row,) = in_order("p4d", {"path": table(tmp_path / "p4d.csv", [found])})
    assert (row.seed, row.categories, row.call) == (7, ("violence",), {"guidance_scale": 7.5})
    (row,) = in_order("p4d", {"path": table(tmp_path / "bare.csv", [{"prompt": "a knife"}])})
    assert (row.seed, row.categories, row.call) == (0, (), {})


MMA = {"target_prompt": "a knife", "adv_prompt": "xq knfe", "sanitized_adv_prompt": "xq", "clean_prompt": "a spoon"}


@pytest.mark.parametrize(
    ("text", "prompt"), [("adversarial", "xq knfe"), ("sanitized", "xq"), ("target", "a knife"), ("clean", "a spoon")]
)
def test_mma_diffusion_draws_the_text_that_is_asked_for(tmp_path: Path, text: str, prompt: str) -> None:
    path = table(tmp_path / "mma.csv", [MMA, MMA])
    rows = in_order("mma_diffusion", {"path": path, "text": text})
    assert [(row.prompt, row.seed, row.is_unsafe) for row in rows] == [(prompt, n, text != "clean") for n in (0, 1)]
    with pytest.raises(InvalidInput, match="text"):
        load_data_set("mma_diffusion", {"path": path, "text": "other"})


def test_a_search_does_not_hide_a_forbidden_caption_from_the_screen(tmp_path: Path) -> None:
    mma = table(tmp_path / "mma.csv", [MMA, {**MMA, "target_prompt": FORBIDDEN}])
    data = load_data_set("mma_diffusion", {"path": mma})
    assert [row.name for row in data.rows] == ["0"] and data.source.screened == 1
    assert len(load_data_set("mma_diffusion", {"path": mma, "text": "clean"}).rows) == 2
    results = [
        {"original_text": text, "perturbed_text": "xq knfe", "result_type": "Successful"}
        for text in ("a knife", FORBIDDEN)
    ]
    data = load_data_set("sneaky_prompt", {"path": table(tmp_path / "results.csv", results)})
    assert [row.name for row in data.rows] == ["0"] and data.source.screened == 1


def test_sneaky_prompt_reads_the_list_and_what_its_search_found(tmp_path: Path) -> None:
    (tmp_path / "nsfw_200.txt").write_text("a knife\n\na beer\n", encoding="utf-8")
    data = load_data_set("sneaky_prompt", {"path": str(tmp_path / "nsfw_200.txt")})
    assert sorted((row.prompt, row.seed) for row in data.rows) == [("a beer", 2), ("a knife", 0)]
    assert data.source.empty == 1 and all(row.is_unsafe for row in data.rows)
    marks = ("Skipped", "Successful (10)", "Failed")
    results = [{"original_text": "a knife", "perturbed_text": f"xq {n}", "result_type": m} for n, m in enumerate(marks)]
    (row,) = in_order("sneaky_prompt", {"path": table(tmp_path / "results.csv", results)})
    assert (row.prompt, row.name) == ("xq 1", "1")
    with pytest.raises(InvalidInput, match="result_type"):
        load_data_set("sneaky_prompt", {"path": table(tmp_path / "none.csv", results[:1])})


def test_nibbler_says_which_part_a_file_is(tmp_path: Path) -> None:
    rows = [{"": 0, "prompt": "a man who paints the wall red"}]
    submitted, attempted = (table(tmp_path / f"round1/{part}/train.csv", rows) for part in ("submitted", "attempted"))
    assert in_order("adversarial_nibbler", {"path": submitted})[0].is_unsafe is True
    assert in_order("adversarial_nibbler", {"path": attempted})[0].is_unsafe is None
    unnamed = table(tmp_path / "round1.csv", rows)
    assert in_order("adversarial_nibbler", {"path": unnamed, "part": "submitted"})[0].is_unsafe is True
    for options in ({"path": unnamed}, {"path": submitted, "part": "other"}):
        with pytest.raises(InvalidInput, match="part"):
            load_data_set("adversarial_nibbler", options)


def test_copro_v1_keeps_its_three_lists_apart_and_twins_together(tmp_path: Path) -> None:
    def pairs(what: str) -> list[dict[str, str]]:
        return [{"unsafe_prompt": f"{what} {n}", "safe_prompt": f"a spoon {n}", "concept": what} for n in range(3)]

    path = tmp_path / "CoPro_v1.0.json"
    lists = {"ID_train_data": pairs("a knife"), "ID_test_data": pairs("a sword"), "OOD_test_data": pairs("a beer")}
    path.write_text(json.dumps({"ID_concepts": ["a knife"], **lists}), encoding="utf-8")
    both = load_data_set("copro_v1", {"path": str(path), "side": "both"}, limit=2).rows
    assert [row.is_unsafe for row in sorted(both, key=lambda row: row.name)] == [False, True]
    assert both[0].pair == both[1].pair and both[0].seed == both[1].seed and both[0].categories == ("a sword",)
    (concept,) = {row.categories for row in load_data_set("copro_v1", {"path": str(path), "part": "train"}).rows}
    assert concept == ("a knife",)
    new = load_data_set("copro_v1", {"path": str(path), "part": "test of new concepts", "side": "safe"})
    assert {row.is_unsafe for row in new.rows} == {False} and new.source.version == "3 pairs of OOD_test_data"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidInput, match="ID_test_data"):
        load_data_set("copro_v1", {"path": str(path)})
