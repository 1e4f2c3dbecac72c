"""Killed at random points, a run goes on: nothing is lost, nothing is drawn twice, the report is the same."""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.context
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from counterpoint.bench.code_version import drawing_code_sha256
from counterpoint.bench.recipe import Recipe, parse_recipe
from counterpoint.bench.run import run
from counterpoint.bench.store import Store

PRELOADED = ["counterpoint.bench.run", "diffusers", "own_methods"]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> multiprocessing.context.ForkServerContext:
    """Processes that start fast: the fork server has the imports, and one thread as the test itself."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def state(out: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every finished picture."""
    keys = [path.stem for path in (out / "records").rglob("[0-9a-f]*.json")]
    done = [key for key in keys if Store(out).record(key)]
    return {key: (os.stat(path).st_size, os.stat(path).st_mtime_ns) for key in done
            if (path := Store(out).picture_path(key)).exists()}  # fmt: skip


def kill_and_go_on(
    recipe: Recipe, folder: Path, kills: int, processes: multiprocessing.context.ForkServerContext
) -> None:
    out, whole = folder / "killed", folder / "whole"
    drawing_code_sha256.cache_clear()
    pictures = run(recipe, whole).planned
    rng = random.Random(0)
    killed = 0
    before: dict[str, tuple[int, int]] = {}
    for target in sorted(rng.choices(range(pictures + 1), k=kills)):
        process = processes.Process(target=run, args=(recipe, out))
        process.start()  # killed once so many pictures are there, at a random moment after it: drawing or judging
        while process.is_alive() and len(list((out / "pictures").rglob("[0-9a-f]*.png"))) < target:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.05)
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        now = state(out)
        assert before.items() <= now.items()  # finished pictures stay as they are
        before = now
    assert killed >= 0.8 * kills
    run(recipe, out)
    assert before.items() <= state(out).items()
    assert not list(out.rglob("*.tmp"))
    if drawing_code_sha256.__wrapped__() != drawing_code_sha256():
        pytest.skip("sources were edited while this ran: children drew under other keys")
    same_pictures(out, whole)
    same_report(out, whole)


def same_pictures(out: Path, whole: Path) -> None:
    names = [sorted(p.relative_to(root) for p in (root / "pictures").rglob("*.png")) for root in (out, whole)]
    assert names[0] == names[1]
    assert all((out / name).read_bytes() == (whole / name).read_bytes() for name in names[0])


def same_report(out: Path, whole: Path) -> None:
    reports = []
    for root in (out, whole):
        data = json.loads((root / "report.json").read_text())
        del data["seconds"]
        for part in ("figures", "differences"):
            data[part] = [row for row in data[part] if row["metric"] not in ("seconds", "peak memory")]
        reports.append(data)
    assert reports[0] == reports[1]


def test_five_kills(recipe: Recipe, tmp_path: Path, processes: multiprocessing.context.ForkServerContext) -> None:
    kill_and_go_on(recipe, tmp_path, 5, processes)


@pytest.mark.slow
def test_fifty_kills(
    recipe_content: dict[str, Any], tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    kill_and_go_on(parse_recipe({**recipe_content, "seeds": [0, 1, 2, 3]}), tmp_path, 50, processes)


@pytest.mark.slow
def test_one_per_cent_damaged(recipe_content: dict[str, Any], tmp_path: Path) -> None:
    recipe_content["seeds"] = list(range(13))
    recipe, out = parse_recipe(recipe_content), tmp_path / "run"
    assert run(recipe, out).planned == 312
    paths = sorted((out / "pictures").rglob("*.png"))
    rng = random.Random(1)
    damaged = rng.sample(paths, 3)
    whole = {path: path.read_bytes() for path in paths}
    for path in damaged:
        content = bytearray(whole[path])
        content[rng.randrange(len(content))] ^= 0xFF
        path.write_bytes(bytes(content))
    assert run(recipe, out).drawn == 3
    assert {path: path.read_bytes() for path in paths} == whole
