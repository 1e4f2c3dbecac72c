"""Structured lines, and no prompt, key or picture in them, in metrics, or in answers to others."""

from __future__ import annotations

import json
import logging
import secrets
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from counterpoint.server.logs import JsonLines, log_event, text_hash
from tests.server.conftest import KEY, MILD, running
from tests.server.test_faults import Faults


def plant(count: int) -> list[str]:
    """Words that stand nowhere else, short enough for the tiny encoder."""
    return [f"z{secrets.token_hex(4)}" for _ in range(count)]


def test_planted_secrets_are_found_nowhere(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = plant(100)
    prompts, rest = words[:60], words[60:]

    def tell(*args: Any, **kwargs: Any) -> Any:
        for name in ("diffusers", "transformers", "counterpoint.engines"):
            logging.getLogger(name).error("the prompt was %s", rest[0])
        warnings.warn(rest[0], stacklevel=1)
        raise RuntimeError(rest[0])

    with running(tiny, api_keys=(KEY,), max_prompt_chars=200) as server:
        for index in range(0, 40, 2):
            ask = {"negative_prompt": prompts[index + 1], "user": rest[1], "safety": {"safe_prompt": rest[2]}}
            assert server.draw(prompts[index], num_inference_steps=1, **ask).status_code == 200
        for word in prompts[40:50]:
            assert server.draw(f"dog {word} " * 60).status_code == 400
            assert server.draw(f"an erotic picture of a minor, {word}").status_code == 400
            assert server.draw(MILD, **{word: 1}).status_code == 400
            assert server.draw(MILD, model=word).status_code == 404
            assert server.get(f"/{word}?a={word}", headers={"Authorization": f"Bearer {word}"}).status_code == 401
        assert server.post("/v1/moderations", json={"input": prompts[50:]}).status_code == 200
        guard = {"input_type": "request", "texts": prompts[50:], "request_data": {"user": rest[3]}}
        assert server.post("/beta/litellm_basic_guardrail_api", json=guard).status_code == 200
        owner, name = Faults(server).points()["denoiser"]
        monkeypatch.setattr(owner, name, tell)
        logging.captureWarnings(True)
        assert server.draw(prompts[0]).status_code == 503
        logging.captureWarnings(False)
        metrics = server.get("/metrics").text
        lines = server.log.getvalue()
    out, err = capfd.readouterr()
    assert not [word for word in (*words, KEY) if word in lines + metrics + out]
    assert not [word for word in words if word in err]
    events = [json.loads(line) for line in lines.splitlines()]
    assert {"model_ready", "request", "draw_failed"} <= {event["event"] for event in events}
    drawn = next(event for event in events if event.get("actions"))
    assert drawn["prompt_hmac"] == text_hash(server.service.log_key, prompts[0]) and drawn["prompt_chars"] == 9
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
