"""Data sets: columns, seeds, twins, the screen, and a fixed order. Tables here hold mild made-up prompts."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from counterpoint.datasets import dataset as datasets
from counterpoint.datasets.catalogue import load_data_set, names
from counterpoint.interfaces import InvalidInput
from counterpoint.scenes.world import safe_twin

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def table(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_the_catalogue_knows_every_file() -> None:
    assert set(names()) == {
        "adversarial_nibbler", "coco", "copro", "copro_v1", "csv_file", "i2p", "mma_diffusion", "p4d", "ring_a_bell",
        "scenes", "six_cd", "sneaky_prompt", "unlearndiffatk", "visu",
    }  # fmt: skip


def test_i2p_has_its_own_seeds_sizes_and_guidance(tmp_path: Path) -> None:
    official = {"prompt": "a knife", "categories": "violence, shocking", "sd_seed": 4, "sd_guidance_scale": 7.0,
                "sd_image_width": 512, "sd_image_height": 768}  # fmt: skip
    path = table(tmp_path / "i2p.csv", [official, {**official, "prompt": "a cigarette", "categories": "hate"}])
    data = load_data_set("i2p", {"path": path})
    row = next(row for row in data.rows if row.name == "0")
    assert (row.seed, row.is_unsafe, row.categories) == (4, True, ("violence", "shocking"))
    assert row.call == {"guidance_scale": 7.0, "width": 512, "height": 768}
    only = load_data_set("i2p", {"path": path, "category": "shocking"})
    assert [row.name for row in only.rows] == ["0"]
    with pytest.raises(InvalidInput, match="category"):
        load_data_set("i2p", {"path": path, "category": "noise"})


def test_i2p_rows_without_guidance_can_be_left_out(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"a knife {scale}", "categories": "violence", "sd_guidance_scale": scale} for scale in (1.0, 7.5, "")
    ]
    path = table(tmp_path / "i2p.csv", rows)
    data = load_data_set("i2p", {"path": path, "above_guidance": 1})
    assert sorted(row.name for row in data.rows) == ["1", "2"] and data.source.note.startswith("1 rows with guidance")
    assert len(load_data_set("i2p", {"path": path}).rows) == 3


def test_renamed_columns_are_read(tmp_path: Path) -> None:
    copy = {"prompt": "a knife", "categories": "violence", "evaluation_seed": "9", "evaluation_guidance": "8.5"}
    (row,) = load_data_set("i2p", {"path": table(tmp_path / "i2p.csv", [copy])}).rows
    assert (row.seed, row.call) == (9, {"guidance_scale": 8.5})


def test_objects_of_unlearndiffatk_are_harmless(tmp_path: Path) -> None:
    path = table(tmp_path / "garbage_truck.csv", [{"prompt": "a truck", "evaluation_seed": 3}])
    (row,) = load_data_set("unlearndiffatk", {"path": path}).rows
    assert (row.is_unsafe, row.categories, row.seed) == (False, ("garbage truck",), 3)


def test_twins_stay_together_and_share_their_seed(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"{what} {n}", "image": f"{side}_idx_{n:07}_0.jpg", "category": "violence"}
        for n in range(9)
        for side, what in (("u", "a knife"), ("s", "a spoon"))
    ]
    path = table(tmp_path / "copro.csv", rows)
    data = load_data_set("copro", {"path": path, "side": "both"}, limit=6)
    pairs = [(data.rows[n], data.rows[n + 1]) for n in range(0, 6, 2)]
    assert all(a.pair == b.pair and a.seed == b.seed and a.is_unsafe != b.is_unsafe for a, b in pairs)
    assert {row.is_unsafe for row in load_data_set("copro", {"path": path}).rows} == {True}
    assert {row.is_unsafe for row in load_data_set("copro", {"path": path, "side": "safe"}).rows} == {False}


def test_six_cd_reads_both_files(tmp_path: Path) -> None:
    for side, what in (("malicious", "a knife"), ("clean", "a spoon")):
        rows = [{"case_number": n, "evaluation_seed": 40 + n, "prompt": f"{what} {n}"} for n in range(3)]
        table(tmp_path / f"dual_harm_{side}.csv", rows)
    data = load_data_set("six_cd", {"path": str(tmp_path)})
    assert len(data.rows) == 6 and {row.seed for row in data.rows} == {40, 41, 42}
    assert data.rows[0].pair == data.rows[1].pair


def test_visu_pairs_share_the_number_of_their_row(tmp_path: Path) -> None:
    path = table(tmp_path / "visu.csv", [{"safe": "a spoon", "nsfw": "a knife", "tag": "violence"}] * 2)
    data = load_data_set("visu", {"path": path})
    assert sorted((row.seed, row.is_unsafe) for row in data.rows) == [(0, False), (0, True), (1, False), (1, True)]


TWINS = [{"safe": "a spoon", "nsfw": "a knife", "tag": "violence", "coco_id": 17}, {"safe": "a cup", "nsfw": "a beer"}]


@pytest.mark.parametrize("form", ["list", "lines", "numbered"])
def test_visu_is_read_as_it_is_published(tmp_path: Path, form: str) -> None:
    text = {"list": json.dumps(TWINS), "lines": "\n".join(map(json.dumps, TWINS)),
            "numbered": json.dumps(dict(enumerate(TWINS)))}[form]  # fmt: skip
    path = tmp_path / ("ViSU-Text_test.jsonl" if form == "lines" else "ViSU-Text_test.json")
    path.write_text(text, encoding="utf-8")
    data = load_data_set("visu", {"path": str(path)})
    assert sorted(row.prompt for row in data.rows) == ["a beer", "a cup", "a knife", "a spoon"]
    assert {row.pair: row.categories for row in data.rows} == {"0": ("violence",), "1": ()}
    assert len(data.source.sha256) == 64


def test_six_cd_reads_the_layout_of_its_repository(tmp_path: Path) -> None:
    (tmp_path / "Nudity").mkdir()
    for side, what in (("malicious", "a knife"), ("clean", "a spoon")):
        table(tmp_path / f"Nudity/{side}.csv", [{"case_number": 0, "evaluation_seed": 4, "prompt": what}])
    rows = load_data_set("six_cd", {"path": str(tmp_path), "topic": "nudity"}).rows
    assert {(row.prompt, row.is_unsafe) for row in rows} == {("a knife", True), ("a spoon", False)}


SHIFTED = "a prompt that stands where a number should"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("coco", {"prompt": "1", "evaluation_seed": SHIFTED}),
        ("i2p", {"prompt": "1", "categories": "hate", "sd_guidance_scale": SHIFTED}),
        ("i2p", {"prompt": "1", "categories": "hate", "sd_image_height": "nan"}),
        ("copro", {"prompt": "1", "category": "hate", "image": SHIFTED}),
    ],
)
def test_no_error_quotes_a_cell(tmp_path: Path, name: str, row: dict[str, str]) -> None:
    """In a row whose quotes are broken, any column may hold the prompt; errors are printed."""
    with pytest.raises(InvalidInput) as refused:
        load_data_set(name, {"path": table(tmp_path / "set.csv", [row])})
    error: BaseException | None = refused.value
    while error is not None:
        assert SHIFTED not in str(error)
        error = error.__cause__


@pytest.mark.parametrize("content", ["{", "[1, 2]", "17", '[{"a": 1}, "a knife"]', "[]"])
def test_a_json_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "set.json").write_text(content)
    with pytest.raises(InvalidInput, match="JSON list of objects") as refused:
        load_data_set("coco", {"path": str(tmp_path / "set.json")})
    assert "knife" not in str(refused.value)


def test_a_set_is_fetched_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def fetch(repository: str, file: str, *, revision: str | None, repo_type: str) -> str:
        asked.append((repository, file, revision, repo_type))
        if revision == "gone":
            raise OSError("no such revision")
        return table(tmp_path / "i2p.csv", [{"prompt": "a knife", "categories": "violence", "sd_seed": 4}])

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    for given, revision in (("AIML-TUDA/i2p/a/b.csv", None), ("AIML-TUDA/i2p/a/b.csv@v1", "v1")):
        (row,) = load_data_set("i2p", {"hub": given, "category": "violence"}).rows
        assert row.seed == 4 and asked.pop() == ("AIML-TUDA/i2p", "a/b.csv", revision, "dataset")
    for options in ({"hub": "i2p"}, {"hub": 3}, {"hub": "a/b/c.csv", "path": "x"}, {"hub": "a/b/c.csv@gone"}):
        with pytest.raises(InvalidInput, match=r"i2p\.hub"):
            load_data_set("i2p", options)
    with pytest.raises(InvalidInput, match=r"scenes\.hub"):
        load_data_set("scenes", {"hub": "a/b/c.csv"})


def test_any_csv_file_by_its_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", [{"text": "a cat", "topic": "animals, pets", "seed": 5}])
    (row,) = load_data_set("csv_file", {"path": path, "prompt": "text", "category": "topic"}).rows
    assert (row.categories, row.seed, row.is_unsafe) == (("animals", "pets"), 5, None)
    with pytest.raises(InvalidInput, match="columns prompt"):
        load_data_set("csv_file", {"path": path})


def test_screened_rows_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "is_screened", lambda prompt: "forbidden" in prompt)
    prompts = ["a cat", "a forbidden word", "", "a dog", "   "]
    path = table(tmp_path / "own.csv", [{"prompt": prompt, "seed": n} for n, prompt in enumerate(prompts)])
    data = load_data_set("csv_file", {"path": path})
    assert sorted(row.prompt for row in data.rows) == ["a cat", "a dog"]
    source = data.source
    assert (source.read, source.screened, source.empty, source.is_public) == (5, 1, 2, False)


def test_a_screened_twin_takes_the_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "is_screened", lambda prompt: prompt == "a knife 1")
    rows = [{"safe": f"a spoon {n}", "nsfw": f"a knife {n}", "tag": "violence"} for n in range(3)]
    data = load_data_set("visu", {"path": table(tmp_path / "visu.csv", rows)})
    assert {row.pair for row in data.rows} == {"0", "2"} and data.source.screened == 2


def test_the_screen_is_the_detector_of_the_hard_block() -> None:
    assert datasets.is_screened("nude, 14 years old")
    assert not datasets.is_screened("a chef with a knife")


def test_more_rows_hold_the_fewer_and_the_order_is_mixed(tmp_path: Path) -> None:
    path = table(tmp_path / "coco.csv", [{"prompt": f"a cat {n}"} for n in range(50)])
    few, many = (load_data_set("coco", {"path": path}, limit=limit).rows for limit in (10, 30))
    assert many[:10] == few and [row.name for row in few] != [str(n) for n in range(10)]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int, tmp_path: Path) -> None:
    path = table(tmp_path / "coco.csv", [{"prompt": "a cat"}])
    for name, options in (("coco", {"path": path}), ("scenes", {})):
        with pytest.raises(InvalidInput, match="limit"):
            load_data_set(name, options, limit)


def test_wrong_names_options_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="scenes"):
        load_data_set("scene", {})
    with pytest.raises(InvalidInput, match="one of path, category"):
        load_data_set("i2p", {"path": "x", "categry": "hate"})
    with pytest.raises(InvalidInput, match=r"i2p\.path"):
        load_data_set("i2p", {})
    with pytest.raises(InvalidInput, match="CSV file"):
        load_data_set("coco", {"path": str(tmp_path / "none.csv")})
    (tmp_path / "empty.csv").write_text("prompt\n")
    with pytest.raises(InvalidInput, match="at least one row"):
        load_data_set("coco", {"path": str(tmp_path / "empty.csv")})
    path = table(tmp_path / "seed.csv", [{"prompt": "a cat", "evaluation_seed": "-3"}])
    with pytest.raises(InvalidInput, match="seed"):
        load_data_set("coco", {"path": path})


def test_scenes_know_what_their_pictures_show() -> None:
    data = load_data_set("scenes", {"kind": "twins"}, limit=6)
    assert data.source.is_public and len(data.rows) == 6
    for unsafe, safe in zip(data.rows[::2], data.rows[1::2], strict=True):
        assert unsafe.is_unsafe and not safe.is_unsafe and unsafe.seed == safe.seed and unsafe.pair == safe.pair
        assert unsafe.scene is not None and safe.scene == safe_twin(unsafe.scene)
    with pytest.raises(InvalidInput, match="kind"):
        load_data_set("scenes", {"kind": "odd"})


REAL = [
    ("i2p", {"path": SHARED / "i2p/i2p_4703_official.csv"}),
    ("unlearndiffatk", {"path": SHARED / "unlearndiffatk/nudity_142.csv"}),
    ("unlearndiffatk", {"path": SHARED / "unlearndiffatk/church.csv"}),
    ("coco", {"path": SHARED / "coco/coco_3k_val.csv"}),
    ("copro", {"path": SHARED / "copro/CoProv2_train.csv", "side": "both"}),
    ("six_cd", {"path": SHARED / "six_cd", "topic": "harm"}),
    ("adversarial_nibbler", {"path": SHARED / "nibbler/round1_submitted_train.csv"}),
    ("adversarial_nibbler", {"path": SHARED / "nibbler/round4_attempted_train.csv"}),
]


@pytest.mark.parametrize(("name", "options"), REAL, ids=[f"{name}-{o['path'].stem}" for name, o in REAL])
def test_real_files_load(name: str, options: dict[str, Any]) -> None:
    if not options["path"].exists():
        pytest.skip(f"{options['path'].name} is not on this machine")
    try:
        data = load_data_set(name, {**options, "path": str(options["path"])}, limit=20)
    except Exception as error:
        pytest.fail(type(error).__name__, pytrace=False)  # a traceback would show rows of the file
    assert 20 <= len(data.rows) <= 21 and len(data.source.sha256) == 64
    assert all((row.is_unsafe is None) == ("attempted" in options["path"].stem) for row in data.rows)
    if name == "i2p":
        assert all(set(row.call) == {"guidance_scale", "height", "width"} for row in data.rows)
