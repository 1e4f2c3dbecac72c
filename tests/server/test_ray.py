"""The same server on Ray: replicas of a real local cluster, started by the real command."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from typer.testing import CliRunner

from counterpoint.bench.server.asking import Asker
from counterpoint.bench.server.running import until
from counterpoint.cli import app
from counterpoint.interfaces import InvalidInput
from counterpoint.server import loading
from counterpoint.server.cluster import Cluster
from counterpoint.server.config import Settings
from counterpoint.server.metrics import Metrics
from counterpoint.server.service import Service
from tests.server.conftest import KEY, MILD, RISKY, running

SETTINGS = {"watermark": False, "min_safety": 0.0, "max_per_key": 1000, "drain_seconds": 120}
SMALL = {"size": "16x16"}
START_SECONDS = 900
"""A dozen processes start; on a busy machine that takes minutes."""


@pytest.mark.parametrize("option", ["--replicas=2", "--replica-cpus=0.5", "--replica-gpus=0"])
def test_options_of_replicas_are_refused_without_ray(option: str) -> None:
    result = CliRunner().invoke(app, ["serve", option])
    assert result.exit_code == 2 and "without --ray" in result.output


@pytest.mark.parametrize(
    ("option", "field"),
    [("--replicas=0", "replicas"), ("--replica-cpus=0", "replica_cpus"), ("--replica-cpus=nan", "replica_cpus"),
     ("--replica-gpus=-1", "replica_gpus")],
)  # fmt: skip
def test_wrong_numbers_are_refused(option: str, field: str) -> None:
    result = CliRunner().invoke(app, ["serve", "--ray", option])
    assert result.exit_code == 2 and field in result.output and "number" in result.output


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "counterpoint.server.on_ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(app, ["serve", "--ray"])
    assert result.exit_code == 2 and "counterpoint[ray,serve]" in result.output.replace("\n", "")


def test_other_addresses_need_keys_with_ray_too() -> None:
    result = CliRunner().invoke(app, ["serve", "--ray", "--host", "0.0.0.0"])
    assert result.exit_code == 2 and "api_keys" in result.output


def test_no_port_is_chosen() -> None:
    on_ray = pytest.importorskip("counterpoint.server.on_ray")
    with pytest.raises(InvalidInput, match="port"):
        on_ray.serve_on_ray(Settings(port=0), Cluster())


def test_replicas_know_what_the_operator_has_set(tiny_model_path: str) -> None:
    """A default `on_unsafe` is no choice: without a picture detector, replicas would refuse to start for it."""
    on_ray = pytest.importorskip("counterpoint.server.on_ray")
    shared = on_ray._shared(Settings(min_safety=0.25))
    assert shared.model_fields_set == {"min_safety", "log_key"}
    loading.wrap(loading.load_pipe(tiny_model_path), shared)


def test_all_replicas_hash_with_one_key_that_is_made_once() -> None:
    on_ray = pytest.importorskip("counterpoint.server.on_ray")
    shared = on_ray._shared(Settings(min_safety=0.25))
    assert shared.min_safety == 0.25 and len(shared.log_key.get_secret_value()) == 64
    assert on_ray._shared(shared).log_key == shared.log_key


def test_each_line_of_the_metrics_names_its_replica() -> None:
    alone, one = Metrics(), Metrics("abc")
    for metrics in (alone, one):
        metrics.pictures.labels(model="tiny", action="passed").inc()
        metrics.watch_queue("tiny", lambda: 2)
    lines = [line for line in one.page().decode().splitlines() if not line.startswith("#")]
    assert len(lines) == 3 and all('replica="abc"' in line for line in lines)
    assert 'counterpoint_pictures_total{action="passed",model="tiny",replica="abc"} 1.0' in lines
    assert "replica" not in alone.page().decode()


def test_an_idempotency_key_is_refused_where_another_replica_may_draw_again(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tiny) as server:
        monkeypatch.setattr(server.service, "kept", Service(Settings(), keeps_answers=False).kept)
        body = {"prompt": MILD, "num_inference_steps": 1}
        answer = server.post("/v1/images/generations", json=body, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 400 and answer.json()["error"]["param"] == "Idempotency-Key"
        assert server.draw().status_code == 200


class Replicas:
    """Two of them, and the real command that serves them."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.process, self.log = port, process, log
        self.asker = Asker(port, key=KEY)

    def processes(self) -> list[int]:
        """Process ids."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                title = path.read_bytes()  # names what it is doing, too
                if title.startswith(b"ray::") and b"ServeReplica:counterpoint" in title:
                    found.append(int(path.parent.name))
            except OSError:  # it has just ended
                continue
        return found


@pytest.fixture(scope="module")
def two(tiny_model_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("ray") / "log"
    given = {"COUNTERPOINT_" + name.upper(): str(value).lower() for name, value in SETTINGS.items()}
    environment = {
        **os.environ, **given, "COUNTERPOINT_API_KEYS": f'["{KEY}"]', "RAY_worker_niceness": "0",
        "RAY_AUTH_TOKEN": secrets.token_hex(32), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    words = ["--ray", "--replicas", "2", "--replica-cpus", "0.5", "--port", str(port), "--model", tiny_model_path]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "counterpoint.cli", "serve", *words], env=environment, stdout=lines, stderr=lines
        )
        try:
            until(lambda: b'"serving"' in log.read_bytes() or process.poll() is not None, START_SECONDS, 0.1)
            assert process.poll() is None, log.read_text()
            yield Replicas(port, process, log)
        finally:
            process.terminate()
            process.wait(240)


@pytest.mark.slow
def test_the_bytes_are_the_plain_servers_whichever_replica_draws(two: Replicas, tiny: Callable[[str], Any]) -> None:
    asks = [(prompt, seed) for prompt in (MILD, RISKY) for seed in range(8)]
    with running(tiny, wrap=loading.wrap, models={"model": "tiny"}, **SETTINGS) as server:
        wanted = [Asker(server.port).draw(prompt, seed=seed, **SMALL).sha256 for prompt, seed in asks]
    with ThreadPoolExecutor(8) as callers:
        got = list(callers.map(lambda ask: two.asker.draw(ask[0], seed=ask[1], **SMALL).sha256, asks))
    assert got == wanted and None not in got and len(set(got)) == 16
    pages = [two.asker.get("/metrics").body.decode() for _ in range(40)]
    drew = {page.split('replica="')[1].split('"')[0] for page in pages if "counterpoint_pictures_total{" in page}
    assert len(drew) == 2


@pytest.mark.slow
def test_the_official_client_and_the_operators_rules(two: Replicas) -> None:
    client = OpenAI(base_url=f"http://127.0.0.1:{two.port}/v1", api_key=KEY, max_retries=0, timeout=120)
    asked = {"seed": 3, "num_inference_steps": 2}
    first, again = (client.images.generate(prompt=RISKY, size="16x16", extra_body=asked) for _ in range(2))
    assert first.data[0].b64_json == again.data[0].b64_json and base64.b64decode(first.data[0].b64_json)
    stream = client.images.generate(prompt=MILD, stream=True, extra_body=asked)
    assert [event.type for event in stream][-1] == "image_generation.completed"
    assert Asker(two.port).get("/readyz").status == 401 and Asker(two.port).get("/livez").status == 200
    assert two.asker.get("/readyz").json()["status"] == "ready"
    assert two.asker.draw(MILD, n=99).json()["error"]["param"] == "n"
    keyed = two.asker.post("/v1/images/generations", {"prompt": MILD}, **{"Idempotency-Key": "one"})
    assert keyed.json()["error"]["param"] == "Idempotency-Key"


@pytest.mark.slow
def test_a_killed_replica_costs_what_it_was_drawing_and_is_replaced(two: Replicas) -> None:
    before = two.processes()
    assert len(before) == 2
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(two.asker.draw, RISKY, seed=seed, **SMALL | {"num_inference_steps": 60})
                 for seed in range(8)]  # fmt: skip
        time.sleep(1.0)  # they are under way
        os.kill(before[0], signal.SIGKILL)
        answers = [one.result() for one in asked]
    assert {answer.status for answer in answers} == {200, 500}  # both replicas had some of them
    assert not any(answer.files or b"knife" in answer.body for answer in answers if answer.status == 500)
    assert two.asker.draw(MILD, **SMALL).status == 200  # the other one goes on
    until(lambda: len(set(two.processes()) - {before[0]}) == 2, START_SECONDS, 0.2)
    assert all(two.asker.draw(MILD, **SMALL).status == 200 for _ in range(8))


@pytest.mark.slow
def test_what_was_accepted_is_finished_when_the_command_is_stopped(two: Replicas) -> None:
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(two.asker.draw, RISKY, seed=seed, **SMALL | {"num_inference_steps": 20})
                 for seed in range(8)]  # fmt: skip
        time.sleep(1.0)  # they are under way
        two.process.send_signal(signal.SIGTERM)
        until(lambda: two.asker.get("/readyz").status != 200, 60)
        assert [one.result().status for one in asked] == [200] * 8
    assert two.process.wait(240) == 0
    assert not any(word in two.log.read_text() for word in (KEY, "knife"))
