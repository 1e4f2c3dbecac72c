"""Structured lines, and no prompt, key or picture in them, in metrics, or in answers to others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from counterpoint.bench.server import planted
from counterpoint.server.logs import JsonLines, log_event, text_hash
from tests.server.conftest import MILD, running, wrap
from tests.server.test_faults import Faults


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
