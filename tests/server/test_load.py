"""Bounded, drained, cancelled; and the same pictures alone and in company."""

from __future__ import annotations

import base64
import io
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image

import counterpoint
from counterpoint.server.config import Settings
from counterpoint.server.service import Service
from tests.server.conftest import KEY, MILD, RISKY, Running, running, until


class Brake:
    """Holds a server's denoiser between two steps, and counts its steps."""

    def __init__(self, server: Running) -> None:
        worker = server.service.workers["tiny"]
        assert worker.safe is not None
        self.go, self.steps = threading.Event(), 0
        self.step = worker.safe.pipe.scheduler.step
        worker.safe.pipe.scheduler.step = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.steps += 1
        assert self.go.wait(30)
        return self.step(*args, **kwargs)


def send(server: Running, count: int, **fields: Any) -> tuple[ThreadPoolExecutor, list[Any]]:
    pool = ThreadPoolExecutor(count)
    return pool, [pool.submit(server.draw, MILD, seed=index, **fields) for index in range(count)]


def pixels_of(answer: dict[str, Any]) -> np.ndarray:
    data = base64.b64decode(answer["data"][0]["b64_json"])
    return np.asarray(Image.open(io.BytesIO(data)), dtype=int)


def test_alone_and_in_company_the_pictures_are_the_same_to_one_level(tiny: Callable[[str], Any]) -> None:
    """Some processors' kernels add in another order in a larger batch: docs/server.md promises no more."""
    asks = [(prompt, seed) for prompt in (MILD, RISKY) for seed in range(4)]
    with running(tiny, max_batch=1) as server:
        alone = [pixels_of(server.draw(prompt, seed=seed).json()) for prompt, seed in asks]
    with running(tiny, max_batch=8, batch_wait_ms=1000, exact_seeds=False) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda ask: server.draw(ask[0], seed=ask[1]).json(), asks))
        batches = server.service.metrics.batch_pictures.labels(model="tiny")
        assert batches._sum.get() == 8 and batches._buckets[0].get() == 0  # no picture was drawn alone
    differences = [[np.abs(pixels_of(answer) - other).max() for other in alone] for answer in answers]
    assert all(row[number] <= 1 for number, row in enumerate(differences))
    assert all(row[other] > 1 for number, row in enumerate(differences) for other in range(8) if other != number)


def test_a_named_seed_is_drawn_alone_unless_the_operator_says_otherwise(tiny: Callable[[str], Any]) -> None:
    with running(tiny, batch_wait_ms=100) as server:
        batches = server.service.metrics.batch_pictures.labels(model="tiny")
        server.draw(MILD, n=3)
        assert (batches._buckets[0].get(), batches._sum.get()) == (3, 3)
        server.draw(MILD, n=3, seed=None)
        assert (batches._buckets[0].get(), batches._sum.get()) == (3, 6)


def test_requests_that_differ_in_settings_are_not_mixed_up(tiny: Callable[[str], Any]) -> None:
    asks = [{"num_inference_steps": steps, "guidance_scale": scale} for steps in (1, 2) for scale in (1.0, 5.0)]
    with running(tiny, batch_wait_ms=50, exact_seeds=False) as server, ThreadPoolExecutor(8) as pool:
        serial = [server.draw(RISKY, **ask).json()["data"][0]["sha256"] for ask in asks]
        together = list(pool.map(lambda ask: server.draw(RISKY, **ask).json()["data"][0]["sha256"], asks * 3))
    assert together == serial * 3 and len(set(serial)) == 4


def test_a_full_queue_answers_503_and_says_when_to_come_again(tiny: Callable[[str], Any]) -> None:
    with running(tiny, max_queue=3, max_batch=1, batch_wait_ms=0) as server:
        brake = Brake(server)
        _, first = send(server, 1)
        until(lambda: brake.steps)  # one is being drawn
        _, waiting = send(server, 1)
        until(lambda: len(server.service.workers["tiny"].queue) == 1)
        assert server.draw(MILD, n=3).json()["error"]["code"] == "queue_full"  # n counts n pictures
        _, more = send(server, 2)
        waiting += more
        until(lambda: len(server.service.workers["tiny"].queue) == 3)
        refused = server.draw(MILD)
        assert refused.status_code == 503 and 1 <= int(refused.headers["retry-after"]) <= 60
        assert 'counterpoint_queue_pictures{model="tiny"} 3.0' in server.get("/metrics").text
        assert server.get("/livez").status_code == 200
        brake.go.set()
        assert [one.result().status_code for one in (*first, *waiting)] == [200] * 4


def test_one_key_cannot_fill_the_queue(tiny: Callable[[str], Any]) -> None:
    with running(tiny, api_keys=(KEY, KEY + "2"), max_per_key=2, max_batch=1) as server:
        brake = Brake(server)
        pool, mine = send(server, 2)
        until(lambda: len(server.service.workers["tiny"].queue) == 1)
        refused = server.draw(MILD)
        assert refused.status_code == 429 and refused.headers["retry-after"]
        assert refused.json()["error"]["type"] == "rate_limit_error"
        body = {"prompt": MILD, "num_inference_steps": 1}
        other = pool.submit(
            server.post, "/v1/images/generations", json=body, headers={"Authorization": f"Bearer {KEY}2"}
        )
        brake.go.set()
        assert [one.result().status_code for one in (*mine, other)] == [200] * 3
        assert server.draw(MILD).status_code == 200


def test_past_the_deadline_the_answer_is_504_and_the_drawing_ends(tiny: Callable[[str], Any]) -> None:
    with running(tiny, deadline_seconds=0.5) as server:
        brake = Brake(server)
        answer = server.draw(MILD, num_inference_steps=50)
        assert answer.status_code == 504 and answer.json()["error"]["code"] == "deadline_exceeded"
        steps = brake.steps
        brake.go.set()
        until(lambda: len(server.service.workers["tiny"].queue) == 0)
        assert server.draw(MILD).status_code in (200, 504)  # the machine may be slow, but it draws again
        assert brake.steps <= steps + 2 + 2


def cut(server: Running, steps: int) -> socket.socket:
    """Send a request, and return its connection."""
    body = f'{{"prompt": "{MILD}", "num_inference_steps": {steps}}}'
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        f"POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return connection


@pytest.mark.parametrize("seen", [1, 5])
def test_a_disconnect_ends_the_drawing_within_two_steps(tiny: Callable[[str], Any], seen: int) -> None:
    with running(tiny) as server:
        brake = Brake(server)
        real, brake.step = brake.step, lambda *args, **kwargs: (brake.go.clear(), real(*args, **kwargs))[1]
        connection = cut(server, 100)
        while brake.steps < seen:
            brake.go.set()
            time.sleep(0.001)
        until(lambda: not brake.go.is_set())  # held in step `seen`, or in the one after it
        held = brake.steps
        connection.close()
        until(lambda: '"status": 499' in server.log.getvalue())
        brake.step = real
        brake.go.set()
        assert server.draw(MILD, num_inference_steps=1).status_code == 200
        assert brake.steps <= held + 1 + 1  # at most one more of the lost request, and one of the next
        assert len(server.service.workers["tiny"].queue) == 0


def test_a_disconnected_request_leaves_the_queue(tiny: Callable[[str], Any]) -> None:
    with running(tiny, max_batch=1) as server:
        brake = Brake(server)
        first = cut(server, 3)
        until(lambda: brake.steps)
        second = cut(server, 3)
        until(lambda: len(server.service.workers["tiny"].queue) == 1)
        second.close()
        until(lambda: len(server.service.workers["tiny"].queue) == 0)
        brake.go.set()
        assert first.recv(12) == b"HTTP/1.1 200"
        first.close()


def test_an_idempotency_key_under_way_answers_409(tiny: Callable[[str], Any]) -> None:
    with running(tiny) as server:
        brake = Brake(server)
        headers, body = {"Idempotency-Key": "one"}, {"prompt": MILD, "num_inference_steps": 1}
        with ThreadPoolExecutor() as pool:
            first = pool.submit(server.post, "/v1/images/generations", json=body, headers=headers)
            until(lambda: brake.steps)
            assert server.post("/v1/images/generations", json=body, headers=headers).status_code == 409
            brake.go.set()
            assert first.result().status_code == 200


def test_what_was_accepted_is_finished_when_the_server_stops(tiny: Callable[[str], Any]) -> None:
    with running(tiny, max_batch=1) as server:
        brake = Brake(server)
        _, sent = send(server, 8)
        queue = server.service.workers["tiny"].queue
        until(lambda: brake.steps and len(queue) == 7)
        server.server.handle_exit(signal.SIGTERM, None)
        until(lambda: _refuses(server.url))
        brake.go.set()
        assert [one.result().status_code for one in sent] == [200] * 8
        server.thread.join(30)


def test_a_server_that_loads_does_not_wait_for_its_model(tiny: Callable[[str], Any]) -> None:
    loads = threading.Event()

    def load(place: str) -> Any:
        loads.wait(60)
        return tiny(place)

    service = Service(Settings(models={"tiny": "tiny"}), load=load)
    service.start()
    started = time.monotonic()
    service.stop()
    assert time.monotonic() - started < 5 and service.states() == {"tiny": "loading"}
    loads.set()
    until(lambda: service.states() == {"tiny": "stopped"}, 60)


def _refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/readyz", trust_env=False, timeout=1)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False


@pytest.mark.slow
def test_sigterm_ends_the_real_command_with_0(tiny_model_path: str, tmp_path: Path) -> None:
    code = "from counterpoint.cli import main; main()"
    arguments = [sys.executable, "-c", code, "serve", "--model", tiny_model_path, "--port", "0"]
    environment = {"PYTHONPATH": str(Path(counterpoint.__file__).parents[1]), "COUNTERPOINT_WATERMARK": "false"}
    environment["COUNTERPOINT_DRAIN_SECONDS"] = "90"  # a busy machine may need it
    log = tmp_path / "log"  # not a pipe: one that nobody reads would stop the server when it is full
    with log.open("w") as lines, subprocess.Popen(arguments, env=environment, stderr=lines) as process:
        until(lambda: "model_ready" in log.read_text(), 120)
        port = log.read_text().split("Uvicorn running on http://127.0.0.1:")[1].split()[0]
        url = f"http://127.0.0.1:{port}/v1/images/generations"
        body = {"prompt": MILD, "num_inference_steps": 20}
        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(httpx.post, url, json=body, timeout=100, trust_env=False) for _ in range(4)]
            time.sleep(1.0)  # they are under way
            process.send_signal(signal.SIGTERM)
            assert [one.result().status_code for one in sent] == [200] * 4
        assert process.wait(60) == 0


def test_sigterm_while_the_model_loads_ends_the_real_command_with_0(tiny_model_path: str, tmp_path: Path) -> None:
    code = (
        "import time; from counterpoint.server import loading; from counterpoint.cli import main; "
        "loading.load_pipe = lambda place: time.sleep(600); main()"
    )
    arguments = [sys.executable, "-c", code, "serve", "--model", tiny_model_path, "--port", "0"]
    environment = {"PYTHONPATH": str(Path(counterpoint.__file__).parents[1])}
    log = tmp_path / "log"
    with log.open("w") as lines, subprocess.Popen(arguments, env=environment, stderr=lines) as process:
        until(lambda: "Uvicorn running" in log.read_text(), 120)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0  # sooner than what is under way would be waited for
    assert "shutdown complete" in log.read_text()
