"""The gate for others' models: OpenAI's moderations and LiteLLM's guardrail."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import numpy as np
import openai
import pytest
from PIL import Image

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import Detection
from counterpoint.pipeline import SafePipeline
from counterpoint.server.config import Settings
from counterpoint.server.moderation import COUNTERPARTS, OPENAI_CATEGORIES, moderation_result
from counterpoint.server.worker import TRIAL_PROMPT
from tests.server.conftest import KEY, MILD, RISKY, Running, WordGate, running
from tests.server.test_faults import Looker, wrap_with


def data_url(side: int = 16, file_format: str = "png", **options: Any) -> str:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).save(buffer, format=file_format, **options)
    return f"data:image/{file_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture(scope="module")
def looking(tiny: Callable[[str], Any]) -> Any:
    with running(tiny, wrap=wrap_with(Looker(unsafe=[True])), max_pixels=64 * 64) as one:
        yield one


def test_the_official_client_gets_verdicts(server: Running) -> None:
    for model in ({}, {"model": "omni-moderation-latest"}, {"model": "text-moderation-stable"}, {"model": "tiny"}):
        answer = server.client().moderations.create(input=[MILD, RISKY], **model)  # type: ignore[call-overload]
        assert answer.id.startswith("modr-")
        mild, risky = answer.results
        assert not mild.flagged and not any(mild.categories.model_dump().values())
        assert risky.flagged and risky.categories.violence and not risky.categories.sexual
        assert risky.category_scores.violence == 0.9 and risky.category_applied_input_types.violence == ["text"]
    assert server.client().moderations.create(input=RISKY).results[0].flagged
    with pytest.raises(openai.NotFoundError):
        server.client().moderations.create(input=MILD, model="other")


def test_parts_are_one_input(server: Running, looking: Running) -> None:
    parts: Any = [{"type": "text", "text": MILD}, {"type": "image_url", "image_url": {"url": data_url()}}]
    (result,) = looking.client().moderations.create(input=parts).results
    assert result.flagged and result.categories.violence_graphic
    assert result.category_applied_input_types.violence_graphic == ["image"]
    with pytest.raises(openai.BadRequestError, match="no picture detector"):
        server.client().moderations.create(input=parts)


def test_pictures_are_looked_at_as_the_eye_sees_them(tiny: Callable[[str], Any]) -> None:
    """White with a shape in its transparency, and 16 bits a pixel: read carelessly, both are plain white."""
    seen: list[np.ndarray] = []

    class Eye(Looker):
        def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
            seen.extend(np.asarray(one.convert("L"), dtype=int) for one in pictures)
            return [
                Detection(is_unsafe=bool(one.std() > 20), score=float(one.std()), categories={"shocking": 0.5})
                for one in seen[-len(pictures) :]
            ]

    shape = Image.linear_gradient("L").resize((16, 16))
    hidden = Image.merge("LA", (Image.new("L", (16, 16), 255), shape))
    deep = Image.fromarray((np.asarray(shape).astype(np.uint16) << 8) + 255)
    with running(tiny, wrap=wrap_with(Eye())) as server:
        for picture in (shape, hidden, deep):
            seen.clear()
            buffer = io.BytesIO()
            picture.save(buffer, format="png")
            url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
            parts: Any = [{"type": "image_url", "image_url": {"url": url}}]
            assert server.client().moderations.create(input=parts).results[0].flagged
            assert min(np.abs(one - np.asarray(shape, dtype=int)).max() for one in seen) <= 1
        assert not server.client().moderations.create(input=MILD).results[0].flagged


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png", "http://127.0.0.1/a.png", "file:///etc/passwd", "data:text/html;base64,YQ==", "",
        "data:image/png;base64,", "data:image/png;base64,!!!!", "data:image/png;base64,YWJj",
        "data:image/svg+xml;base64,YQ==",
        data_url(65), data_url()[:-40], data_url(16, "gif").replace("gif", "png"),
        data_url(16, "png", save_all=True, append_images=[Image.new("L", (16, 16))]),
    ],
)  # fmt: skip
def test_only_small_still_pictures_inside_the_request_are_taken(looking: Running, url: str) -> None:
    body = {"input": [{"type": "image_url", "image_url": {"url": url}}]}
    answer = looking.post("/v1/moderations", json=body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "input"


@pytest.mark.parametrize("given", [[], "", " ", ["a", ""], ["a"] * 33, "dog " * 200, "a" * 4001, [1], None, {"a": 1}])
def test_wrong_inputs_are_named(server: Running, given: Any) -> None:
    answer = server.post("/v1/moderations", json={"input": given})
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith("input")


def test_all_categories_have_a_counterpart_or_are_named_beside() -> None:
    assert set(DEFAULT_CONCEPTS) <= set(COUNTERPARTS) and set(COUNTERPARTS.values()) <= set(OPENAI_CATEGORIES)
    odd = Detection(is_unsafe=True, score=2.0, categories={"clowns": 2.0, "violence": -0.5})
    result = moderation_result([("text", odd)])
    assert result["flagged"] and not any(result["categories"].values()) and result["category_scores"]["violence"] == 0.0
    assert result["detection"][0]["categories"]["clowns"] == 2.0
    assert list(result["categories"]) == list(OPENAI_CATEGORIES) and len(OPENAI_CATEGORIES) == 13


def test_the_guardrail_blocks_and_lets_pass(server: Running, looking: Running) -> None:
    def ask(to: Running, **fields: Any) -> Any:
        body = {"input_type": "request", "request_data": {}, "litellm_call_id": "1", "tools": None, **fields}
        headers = {"x-api-key": KEY, "Content-Type": "application/json"}  # what LiteLLM sends
        answer = to.post("/beta/litellm_basic_guardrail_api", content=json.dumps(body), headers=headers)
        assert answer.status_code == 200
        return answer.json()

    assert ask(server, texts=[MILD]) == {"action": "NONE"}
    assert ask(server, texts=[MILD, RISKY]) == {"action": "BLOCKED", "blocked_reason": "unsafe: violence"}
    assert ask(server, texts=["dog " * 200])["action"] == "BLOCKED"  # what cannot be read is not let through
    assert ask(server, texts=[MILD] * 33)["action"] == "BLOCKED"
    assert ask(server, texts=[], images=[data_url()])["action"] == "BLOCKED"
    for text in ("a\0b", "\ud800", "a" * 10_000_000):  # nor what nobody can read: an error might be
        assert "texts cannot be checked" in ask(server, texts=[MILD, text])["blocked_reason"]
    calls = [{"type": "function", "function": {"name": "draw", "arguments": f'{{"prompt": "{RISKY}"}}'}}]
    assert ask(server, texts=[MILD], tool_calls=calls)["blocked_reason"] == "unsafe: violence"
    assert ask(server, texts=None, tool_calls=[{"function": {"name": "draw"}}]) == {"action": "NONE"}
    for call in (1, {}, {"function": None}, {"function": {"arguments": {"prompt": RISKY}}}):
        assert "tool_calls cannot be checked" in ask(server, tool_calls=[call])["blocked_reason"]
    assert ask(server, tool_calls=calls * 33)["action"] == "BLOCKED"
    picture = data_url().partition(",")[2]
    assert ask(looking, images=[picture], input_type="response")["blocked_reason"] == "unsafe: violence/graphic"
    assert ask(looking, images=["https://example.org/a.png"])["action"] == "BLOCKED"


def test_a_failing_gate_is_never_a_pass(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(prompts: Any) -> Any:
        raise RuntimeError("injected")

    monkeypatch.setattr(server.service.gate().safe, "detector", fail)
    for path, body in (
        ("/v1/moderations", {"input": MILD}),
        ("/beta/litellm_basic_guardrail_api", {"input_type": "request", "texts": [MILD]}),
        ("/v1/images/generations", {"prompt": MILD}),
    ):
        answer = server.post(path, json=body)
        assert answer.status_code == 503 and "injected" not in answer.text


def test_the_checks_of_one_key_are_bounded_and_nobody_waits_in_vain(tiny: Callable[[str], Any]) -> None:
    """Its gate is one thread: without a bound, one key's checks would stand before everybody's pictures."""
    from tests.server.test_load import until

    go, read = threading.Event(), [0]

    class Slow(WordGate):
        def __call__(self, prompts: Sequence[str]) -> list[Detection]:
            if threading.current_thread().name.startswith("gate") and TRIAL_PROMPT not in prompts:
                read[0] += 1
                assert go.wait(30)
            return super().__call__(prompts)

    def wrap(pipe: Any, settings: Settings) -> SafePipeline:
        return SafePipeline(pipe, detector=Slow(), safety=settings.safety)

    with running(tiny, wrap=wrap, api_keys=(KEY, KEY + "2"), max_checks_per_key=2) as server:
        body, path = {"input": MILD}, "/v1/moderations"
        with ThreadPoolExecutor() as pool:
            mine = [pool.submit(server.post, path, json=body)]
            until(lambda: read[0] == 1)
            with contextlib.suppress(httpx.ReadTimeout):  # one that goes while it waits
                httpx.post(
                    f"{server.url}{path}", json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=0.3,
                    trust_env=False,
                )  # fmt: skip
            until(lambda: '"status": 499' in server.log.getvalue())
            mine.append(pool.submit(server.post, path, json=body))
            until(lambda: sum(server.service.checks._held.values()) == 2)
            refused = server.post(path, json=body)
            assert refused.status_code == 429 and refused.headers["retry-after"]
            assert "checks" in refused.json()["error"]["message"]
            guardrail = {"input_type": "request", "texts": [MILD]}
            assert server.post("/beta/litellm_basic_guardrail_api", json=guardrail).status_code == 429
            other = pool.submit(server.post, path, json=body, headers={"Authorization": f"Bearer {KEY}2"})
            go.set()
            assert [one.result().status_code for one in (*mine, other)] == [200] * 3
        assert read[0] == 3  # the one that went was not read


def test_each_text_and_picture_holds_a_place_and_no_request_is_too_large_for_ever(tiny: Callable[[str], Any]) -> None:
    held: list[int] = []
    servers: list[Running] = []

    class Watch(Looker):
        def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
            held.append(sum(one.service.checks._held.total() for one in servers))
            return super().__call__(pictures)

    text, picture = {"type": "text", "text": MILD}, {"type": "image_url", "image_url": {"url": data_url()}}
    call = {"function": {"name": "draw", "arguments": MILD}}
    guardrail = {"input_type": "request", "texts": [MILD] * 2, "images": [data_url()], "tool_calls": [call]}
    with running(tiny, wrap=wrap_with(Watch()), api_keys=(KEY,), max_checks_per_key=4) as server:
        held.clear()  # of the trial's
        servers.append(server)
        for body in ({"input": [picture]}, {"input": [text, picture, text]}, {"input": [picture, *[text] * 31]}):
            assert server.post("/v1/moderations", json=body).status_code == 200
        assert server.post("/beta/litellm_basic_guardrail_api", json=guardrail).json() == {"action": "NONE"}
        assert held == [1, 3, 4, 4]
        with server.service.checks.hold(hashlib.sha256(KEY.encode()).hexdigest(), 2):
            for count, status in ((2, 200), (3, 429)):
                assert server.post("/v1/moderations", json={"input": [MILD] * count}).status_code == status
            assert server.post("/beta/litellm_basic_guardrail_api", json=guardrail).status_code == 429


def test_a_check_past_the_deadline_is_504(tiny: Callable[[str], Any]) -> None:
    def wrap(pipe: Any, settings: Settings) -> SafePipeline:
        def slow(prompts: Sequence[str]) -> list[Detection]:
            if threading.current_thread().name.startswith("gate"):
                time.sleep(0.5)
            return WordGate()(prompts)

        return SafePipeline(pipe, detector=slow, safety=settings.safety)

    with running(tiny, wrap=wrap, deadline_seconds=0.1) as server:
        assert server.post("/v1/moderations", json={"input": MILD}).status_code == 504


def test_checks_do_not_wait_for_a_drawing(tiny: Callable[[str], Any]) -> None:
    from tests.server.test_load import Brake, send, until

    with running(tiny) as server:
        brake = Brake(server)
        _, sent = send(server, 1)
        until(lambda: brake.steps)
        assert server.post("/v1/moderations", json={"input": MILD}).status_code == 200
        assert not sent[0].done()
        brake.go.set()
        assert sent[0].result().status_code == 200
