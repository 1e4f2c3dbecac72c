"""A real local Ray: the pictures of a run in this process, with a worker that is killed in the middle."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from counterpoint.bench.recipe import parse_recipe
from counterpoint.bench.run import run
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput

ray = pytest.importorskip("ray")

from counterpoint.bench import ray_executor  # noqa: E402
from counterpoint.bench.ray_executor import MOST_TRIES, RayExecutor  # noqa: E402

CORES = 2
TOKEN = secrets.token_hex(32)
"""One for all clusters of a process: Ray keeps the first that it has read."""


@pytest.fixture
def cluster(own_methods: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster on two cores of this machine, whose processes can import the tests' methods."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)  # else it writes one into the home folder
    monkeypatch.setenv("RAY_worker_niceness", "0")  # its default, 15, starves on a busy machine
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    os.environ.pop("RAY_AUTH_MODE", None)  # which `init` has set


def pictures_of(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / "pictures").rglob("*.png")}


def with_mortal(content: dict[str, Any], folder: Path, lives: int) -> dict[str, Any]:
    folder.mkdir()
    options = {"folder": str(folder), "lives": lives}
    methods = [*content["methods"], {"name": "own_methods:mortal", "label": "mortal", "options": options}]
    return {**content, "methods": methods}


@pytest.mark.slow
def test_a_killed_worker_costs_nothing(cluster: None, recipe_content: dict[str, Any], tmp_path: Path) -> None:
    deaths = tmp_path / "deaths"
    recipe = parse_recipe(with_mortal(recipe_content, deaths, lives=1))
    out = tmp_path / "run"
    outcome = run(recipe, out, executor=RayExecutor(workers=2))
    assert len(list(deaths.iterdir())) == 1, "no worker was killed"
    assert (outcome.planned, outcome.drawn, outcome.lacking, outcome.failed) == (36, 36, 0, 0)
    assert all(Store(out).record(key) for key in pictures_of(out))
    local = run(recipe, tmp_path / "local")  # the marks of the deaths are still there: it lives
    assert local.drawn == 36 and pictures_of(out) == pictures_of(tmp_path / "local")
    assert run(recipe, out).drawn == 0  # the same folder for both


@pytest.mark.slow
def test_a_batch_that_kills_is_left_undone_and_a_later_run_draws_it(
    cluster: None, recipe_content: dict[str, Any], tmp_path: Path
) -> None:
    deaths, out = tmp_path / "deaths", tmp_path / "run"
    recipe = parse_recipe(with_mortal(recipe_content, deaths, lives=MOST_TRIES))
    outcome = run(recipe, out, stages=("generate",), executor=RayExecutor(workers=1))
    assert len(list(deaths.iterdir())) == MOST_TRIES
    assert (outcome.drawn, outcome.lacking) == (31, 5)  # one batch of five
    assert run(recipe, out, stages=("generate",), executor=RayExecutor(workers=1)).drawn == 5


@pytest.mark.slow
def test_a_worker_with_other_code_refuses(
    cluster: None, recipe_content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterpoint.bench.plan.versions", lambda: {"torch": "another"})
    with pytest.raises(InvalidInput, match=r"cannot start.*another version of the code"):
        run(parse_recipe(recipe_content), tmp_path / "run", executor=RayExecutor(workers=1))
    assert not pictures_of(tmp_path / "run")


def test_a_worker_that_is_killed_for_its_memory_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ray raises no `RayActorError` then; here a cluster of one worker, whose first answer to a batch is that."""
    hired, answers = itertools.count(), {"draw": [ray.exceptions.OutOfMemoryError("killed"), 3, 2]}

    def get(question: tuple[str, int]) -> int:
        answer = 0 if question[0] == "ready" else answers["draw"].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def hire(plan: object, root: str) -> SimpleNamespace:
        number = next(hired)
        calls = (
            SimpleNamespace(remote=lambda *batch, name=name: (name, number, next(hired))) for name in ("ready", "draw")
        )
        return SimpleNamespace(**dict(zip(("ready", "draw"), calls, strict=True)))

    kind = SimpleNamespace(options=lambda **resources: SimpleNamespace(remote=hire))
    fake = SimpleNamespace(
        put=lambda plan: plan,
        remote=lambda worker: kind,
        wait=lambda waiting, timeout=None: ([waiting[0]], []),
        get=get,
    )
    monkeypatch.setattr(ray_executor, "ray", fake)
    drawn: list[int] = []
    pool = ray_executor._Pool(SimpleNamespace(), Store(tmp_path), 0.0, 1)  # type: ignore[arg-type]
    pool.draw([SimpleNamespace(), SimpleNamespace()], SimpleNamespace(advance=drawn.append))  # type: ignore[list-item, arg-type]
    assert drawn == [3, 2] and not answers["draw"]


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="workers"):
        RayExecutor(workers=0)
    with pytest.raises(InvalidInput, match="worker_gpus"):
        RayExecutor(gpus=-1)
