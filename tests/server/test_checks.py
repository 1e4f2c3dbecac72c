"""The gate for others' models: OpenAI's moderations and LiteLLM's guardrail."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import openai
import pytest
from PIL import Image

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import Detection
from counterpoint.server.moderation import COUNTERPARTS, OPENAI_CATEGORIES, moderation_result
from tests.server.conftest import MILD, RISKY, Running, running
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
    for model in ({}, {"model": "omni-moderation-latest"}, {"model": "tiny"}):
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
        answer = to.post("/beta/litellm_basic_guardrail_api", json=body)
        assert answer.status_code == 200
        return answer.json()

    assert ask(server, texts=[MILD]) == {"action": "NONE"}
    assert ask(server, texts=[MILD, RISKY]) == {"action": "BLOCKED", "blocked_reason": "unsafe: violence"}
    assert ask(server, texts=["dog " * 200])["action"] == "BLOCKED"  # what cannot be read is not let through
    assert ask(server, texts=[MILD] * 33)["action"] == "BLOCKED"
    assert ask(server, texts=[], images=[data_url()])["action"] == "BLOCKED"
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
