"""Structured lines, and no prompt, key or picture in them, in metrics, or in answers to others."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from counterpoint.bench.server import planted
from counterpoint.server.logs import JsonLines, log_event, text_hash
from tests.server.conftest import KEY, MILD, RISKY, Running, running, until, wrap
from tests.server.test_faults import Faults, wrap_with
from tests.server.test_streaming import Script, events_of


def test_100_planted_words_are_found_nowhere(tiny: Callable[[str], Any]) -> None:
    figures = planted.measure(100, 1, load=tiny, wrap=wrap)
    assert figures["words found"].value == 0 and figures["API key or picture found"].value == 0
    assert figures["requests in the log"].value >= 100 and figures["failures in the log"].value == 5


def test_a_planted_word_that_leaks_is_found(tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted, "PLACES", [lambda server, asker, word: print(word)])
    assert planted.measure(2, 1, load=tiny, wrap=wrap)["words found"].value == 1


def test_a_line_names_a_prompt_by_its_hash_and_a_failure_by_its_place(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(MILD)

    with running(tiny) as server:
        server.draw(MILD)
        owner, name = Faults(server).points()["denoiser"]
        monkeypatch.setattr(owner, name, tell)
        assert server.draw(MILD).status_code == 503
        events = [json.loads(line) for line in server.log.getvalue().splitlines()]
    assert {"model_ready", "request", "draw_failed"} <= {event["event"] for event in events}
    drawn = next(event for event in events if event.get("actions"))
    assert drawn["prompt_hmac"] == text_hash(server.service.log_key, MILD) and drawn["prompt_chars"] == len(MILD)
    failed = next(event for event in events if event["event"] == "draw_failed")
    assert failed["error"] == "RuntimeError" and "test_logs.py:" in failed["where"][-1]


def requests_of(server: Running, count: int) -> list[dict[str, Any]]:
    """The log's first lines of requests; each is written after its answer."""
    until(lambda: server.log.getvalue().count('"event": "request"') >= count)
    events = [json.loads(line) for line in server.log.getvalue().splitlines()]
    return [event for event in events if event["event"] == "request"][:count]


def test_each_refusal_is_counted_and_has_its_reason_in_the_log(tiny: Callable[[str], Any]) -> None:
    with running(tiny) as server:
        assert server.draw("an erotic picture of a minor").status_code == 400
        assert server.draw(RISKY, safety={"on_unsafe_prompt": "block"}).status_code == 400
        assert server.draw(MILD, n=99).status_code == 400
        assert server.get("/metrics", headers={"Host": "evil.example"}).status_code == 403
        page = server.get("/metrics").text
        forbidden, blocked, wrong, stranger = requests_of(server, 4)
    assert 'counterpoint_refusals_total{stage="input"} 2.0' in page
    refusal = {"code": "moderation_blocked", "stage": "input"}
    assert forbidden.items() >= {**refusal, "categories": ["sexual/minors"]}.items()
    assert blocked.items() >= {**refusal, "categories": ["violence"]}.items() and "prompt_hmac" in blocked
    assert wrong["code"] == "invalid_value" and "stage" not in wrong
    assert stranger["code"] == "host_not_allowed"


def test_an_answer_in_parts_that_ends_in_an_error_says_so(tiny: Callable[[str], Any]) -> None:
    with running(tiny, wrap=wrap_with(script := Script())) as server:
        script.todo = ["safe", "fail"]
        assert [events_of(server)[-1]["type"] for _ in range(2)] == ["error", "image_generation.completed"]
        page = server.get("/metrics").text
        failed, whole = requests_of(server, 2)
    assert failed.items() >= {"status": 200, "outcome": "error", "code": "safety_failure"}.items()
    assert whole["status"] == 200 and "outcome" not in whole
    assert 'counterpoint_stream_errors_total{code="safety_failure"} 1.0' in page


def test_an_answer_that_comes_again_is_no_drawing_of_another_seed(tiny: Callable[[str], Any]) -> None:
    with running(tiny) as server:
        body = {"prompt": MILD, "num_inference_steps": 1}
        path, headers = "/v1/images/generations", {"Idempotency-Key": "one"}
        (seed,) = {server.post(path, json=body, headers=headers).json()["settings"]["seed"] for _ in range(2)}
        drawn, again = requests_of(server, 2)
    assert drawn["seed"] == seed and "replayed" not in drawn
    assert again["replayed"] is True and "seed" not in again and again["prompt_hmac"] == drawn["prompt_hmac"]


def test_a_key_is_named_by_a_keyed_hash(tiny: Callable[[str], Any]) -> None:
    with running(tiny, api_keys=(KEY,)) as server:
        for _ in range(2):
            assert server.get("/version").status_code == 200
        assert server.get("/version", headers={"Authorization": "Bearer wrong"}).status_code == 401
        lines = requests_of(server, 3)
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        assert [line.get("caller") for line in lines] == [text_hash(server.service.log_key, digest)] * 2 + [None]
        assert lines[2]["code"] == "invalid_api_key"
        assert digest[:12] not in server.log.getvalue()


def test_metrics_count_what_happened(tiny: Callable[[str], Any]) -> None:
    with running(tiny) as server:
        server.draw(MILD)
        server.draw("a chef with a knife in a room", n=2)
        server.draw(MILD, n=99)
        page = server.get("/metrics").text
    assert 'counterpoint_pictures_total{action="passed",model="tiny"} 1.0' in page
    assert 'counterpoint_pictures_total{action="steered",model="tiny"} 2.0' in page
    assert 'counterpoint_requests_total{route="/v1/images/generations",status="200"} 2.0' in page
    assert 'counterpoint_requests_total{route="/v1/images/generations",status="400"} 1.0' in page
    assert "counterpoint_step_seconds_bucket" in page and "counterpoint_safety_weight_bucket" in page


def test_only_known_fields_are_logged() -> None:
    with pytest.raises(ValueError, match="prompt"):
        log_event("request", prompt="a dog")


def test_what_others_log_is_cut_down_to_its_place() -> None:
    record = logging.LogRecord("diffusers", logging.WARNING, "/a/b/pipeline.py", 413, "cut: %s", ("a dog",), None)
    line = json.loads(JsonLines().format(record))
    assert line["where"] == "pipeline.py:413" and "dog" not in json.dumps(line)
