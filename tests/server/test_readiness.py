"""A stage that fails each time is counted, and makes the server not ready, wherever it stands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.pipeline import SafePipeline
from counterpoint.provenance import watermark
from counterpoint.server.config import Settings
from counterpoint.server.gate_thread import GateThread
from counterpoint.server.health import MOST_FAILURES, Health
from counterpoint.server.metrics import Metrics
from tests.server.conftest import RISKY, Running, WordGate, running, until
from tests.server.test_checks import data_url
from tests.server.test_faults import Looker, raising, wrap_with


@pytest.fixture
def server(tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("counterpoint.server.worker.TRIAL_SECONDS", 0.05)
    with running(tiny, wrap=wrap_with(Looker()), watermark=True) as one:
        yield one


def gate_of(server: Running) -> GateThread:
    return server.service.gate()


def draw(server: Running) -> Any:
    return server.draw(size="64x64")


def moderate(server: Running) -> Any:
    picture = {"type": "image_url", "image_url": {"url": data_url()}}
    return server.post("/v1/moderations", json={"input": [picture]})


@pytest.mark.parametrize(
    ("owner", "name", "ask"),
    [
        (lambda server: gate_of(server).safe, "detector", draw),
        (lambda server: type(gate_of(server).safe.picture_detectors[0]), "__call__", moderate),
        (lambda server: watermark, "embed", draw),
    ],
    ids=["gate", "picture check", "marking"],
)
def test_three_failures_of_any_stage_make_it_not_ready_until_a_trial_passes_all(
    server: Running, owner: Callable[[Running], Any], name: str, ask: Callable[[Running], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context() as broken:
        broken.setattr(owner(server), name, raising)
        for _ in range(MOST_FAILURES):
            assert server.get("/readyz").status_code == 200
            assert ask(server).status_code == 503
        assert server.get("/readyz").json()["models"] == {"tiny": "failing"}
        until(lambda: "trial_failed" in server.log.getvalue())
        assert server.get("/readyz").status_code == 503  # the trial goes through the broken stage
        page = server.get("/metrics").text
    counts = [line for line in page.splitlines() if line.startswith("counterpoint_failures_total")]
    assert sum(float(line.split()[-1]) for line in counts) == MOST_FAILURES
    until(lambda: server.get("/readyz").status_code == 200)
    assert ask(server).status_code == 200


def test_a_success_ends_the_row_and_a_refusal_does_not_count(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(gate_of(server).safe, "detector", raising)
            for _ in range(MOST_FAILURES - 1):
                assert draw(server).status_code == 503
        assert draw(server).status_code == 200
    for _ in range(MOST_FAILURES):
        assert server.draw(RISKY, size="64x64", safety={"on_unsafe_prompt": "block"}).status_code == 400
    assert server.get("/readyz").status_code == 200


def test_a_drawing_that_succeeds_does_not_end_the_row_of_the_mark() -> None:
    health = Health("tiny", Metrics(), longest=60.0)
    for _ in range(MOST_FAILURES):
        assert not health.is_failing
        health.succeeded("draw")
        health.failed("marking", RuntimeError())
    assert health.is_failing
    health.reset()
    assert not health.is_failing


@pytest.mark.parametrize(
    "part",
    [lambda server: (server.safe.pipe.scheduler, "step"), lambda server: (gate_of(server).safe, "detector")],
    ids=["step", "gate"],
)
def test_what_hangs_makes_it_not_ready_until_it_goes_on(
    tiny: Callable[[str], Any], part: Callable[[Running], tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    with running(tiny, deadline_seconds=0.5) as server:
        owner, name = part(server)
        real = getattr(owner, name)

        def hang(*args: Any, **kwargs: Any) -> Any:
            assert go.wait(60)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, hang)
        try:
            assert server.get("/readyz").status_code == 200
            assert server.draw().status_code == 504  # a hang raises nothing, so no failure is counted
            until(lambda: server.get("/readyz").json()["models"] == {"tiny": "failing"})
        finally:
            go.set()
        until(lambda: server.get("/readyz").status_code == 200)


def test_a_long_drawing_whose_steps_go_on_is_no_hang() -> None:
    now = [0.0]
    health = Health("tiny", Metrics(), longest=1.0, clock=lambda: now[0])
    with health.timed():
        for _ in range(9):
            now[0] += 0.9
            assert not health.is_hanging
            health.step()
        now[0] += 1.1
        assert health.is_hanging
    assert not health.is_hanging


def test_a_model_whose_reading_gate_fails_does_not_start(tiny: Callable[[str], Any]) -> None:
    class Unread(WordGate):
        def __call__(self, prompts: Sequence[str]) -> list[Detection]:
            if threading.current_thread().name.startswith("gate"):
                raise RuntimeError("injected")
            return super().__call__(prompts)

    def wrap(pipe: Any, settings: Settings) -> SafePipeline:
        return SafePipeline(pipe, detector=Unread(), safety=settings.safety)

    with pytest.raises(InvalidInput, match="models"), running(tiny, wrap=wrap):
        pass
