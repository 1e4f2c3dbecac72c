"""Wrong requests are the caller's fault, told in OpenAI's shape with field and limit; never a 5xx."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from typing import Any

import httpx2 as httpx
import openai
import pytest
from fastapi.exceptions import RequestValidationError

from counterpoint.server import errors
from counterpoint.server.schemas import MOST_INPUTS
from tests.server.conftest import KEY, MILD, Running

AUTH = {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("n", {"n": 0}), ("n", {"n": 11}), ("n", {"n": True}), ("n", {"n": 1.5}), ("n", {"n": "2"}),
        ("n", {"n": 10**400}), ("size", {"size": "16"}), ("size", {"size": "17x16"}), ("size", {"size": "4096x4096"}),
        ("size", {"size": "0x16"}), ("seed", {"seed": -1}), ("seed", {"seed": 2**32}),
        ("seed", {"seed": 2**32 - 1, "n": 2}), ("num_inference_steps", {"num_inference_steps": 101}),
        ("num_inference_steps", {"num_inference_steps": 0}), ("guidance_scale", {"guidance_scale": 31}),
        ("guidance_scale", {"guidance_scale": -0.5}), ("prompt", {"prompt": ""}), ("prompt", {"prompt": " \n"}),
        ("prompt", {"prompt": None}), ("prompt", {"prompt": ["a"]}), ("prompt", {"prompt": "a" * 4001}),
        ("prompt", {"prompt": "dog " * 200}), ("prompt", {"prompt": "a\0b"}),
        ("negative_prompt", {"negative_prompt": "a" * 4001}), ("negative_prompt", {"negative_prompt": "dog " * 200}),
        ("output_format", {"output_format": "gif"}), ("output_compression", {"output_compression": 50}),
        ("output_compression", {"output_compression": 101, "output_format": "jpeg"}),
        ("response_format", {"response_format": "url"}), ("quality", {"quality": "hd"}),
        ("background", {"background": "transparent"}), ("moderation", {"moderation": "low"}),
        ("stream", {"stream": "yes"}), ("n", {"stream": True, "n": 2}), ("partial_images", {"partial_images": 1}),
        ("partial_images", {"stream": True, "partial_images": 4}),
        ("partial_images", {"stream": True, "partial_images": 1}),
        ("safety.on_unsafe", {"safety": {"on_unsafe": "block"}}), ("user", {"user": "a" * 513}),
        ("safety", {"safety": 0.5}), ("safety.safety", {"safety": {"safety": 1.5}}),
        ("safety.safety", {"safety": {"safety": "extreme"}}), ("safety.on_unsafe", {"safety": {"on_unsafe": "ask"}}),
        ("safety.safe_prompt", {"safety": {"safe_prompt": " "}}), ("safety.level", {"safety": {"level": 1}}),
        ("prompt_embeds", {"prompt_embeds": [0.0]}), ("latents", {"latents": [0.0]}), ("style", {"style": "vivid"}),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(server: Running, param: str, fields: dict[str, Any]) -> None:
    answer = server.post("/v1/images/generations", json={"prompt": MILD, "num_inference_steps": 1, **fields})
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["type"] == "invalid_request_error"
    assert error["param"] == param and error["message"].startswith(param) and len(error["message"]) < 500
    assert answer.headers["x-request-id"].startswith("req_")


def test_the_official_client_sees_its_own_errors(server: Running) -> None:
    client = server.client()
    with pytest.raises(openai.BadRequestError) as wrong:
        client.images.generate(prompt=MILD, n=11)
    assert wrong.value.param == "n" and "1..10" in wrong.value.message
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.generate(prompt=MILD, model="dall-e-3")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0).models.list()
    assert [model.id for model in client.models.list()] == ["tiny"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'"a"', b"\xff\xfe", b'{"prompt": "\xff"}', b"[" * 100_000, b'{"a":' * 50_000,
        b'{"prompt": NaN}', b'{"prompt": "a", "guidance_scale": NaN}', b'{"prompt": "a", "guidance_scale": Infinity}',
        b'{"prompt": "a", "guidance_scale": 1e999}', b'{"prompt": "\\ud800"}', b'{"\\ud800": 1}',
        b'{"prompt": "a", "n": ' + b"9" * 9000 + b"}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/moderations", "/beta/litellm_basic_guardrail_api"])
def test_what_is_no_json_object_is_refused(server: Running, path: str, content: bytes) -> None:
    answer = server.post(path, content=content, headers={**AUTH, "Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["param"]


def test_other_content_types_are_refused(server: Running) -> None:
    content = json.dumps({"prompt": MILD}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"):
        answer = server.post("/v1/images/generations", content=content, headers={**AUTH, "Content-Type": kind})
        assert answer.status_code == 400


def test_the_body_is_bounded_whatever_its_length_says(server: Running) -> None:
    most = server.service.settings.max_body_bytes
    for content in (b"a" * (most + 1), iter([b"a" * 2**20] * (most // 2**20 + 1))):  # the second is sent in chunks
        answer = server.post("/v1/images/generations", content=content, headers=AUTH)
        assert answer.status_code == 413 and str(most) in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "param", "content"),
    [
        ("/v1/moderations", "input", b'{"input":[' + b"1," * 100_000 + b"1]}"),
        ("/v1/moderations", "input", b'{"input":[' + b'{"type":"x"},' * 50_000 + b"1]}"),
        ("/v1/moderations", "input", b'{"input":[' + b'"a",' * 100_000 + b'"a"]}'),
        (
            "/v1/images/generations", "a0",
            b'{"prompt":"a",' + b",".join(b'"a%d":1' % key for key in range(100_000)) + b"}",
        ),
        (
            "/v1/images/generations", "safety.a0",
            b'{"prompt":"a","safety":{' + b",".join(b'"a%d":1' % key for key in range(100_000)) + b"}}",
        ),
        (
            "/beta/litellm_basic_guardrail_api", "texts.0",
            b'{"input_type":"request","texts":[' + b"1," * 100_000 + b"1]}",
        ),
    ],
)  # fmt: skip
def test_a_long_wrong_body_costs_one_error(
    server: Running, path: str, param: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one error is built for each part, and nobody else is answered meanwhile."""
    counts, real = [], errors._from_schema

    def counted(error: RequestValidationError) -> errors.ApiError:
        counts.append(len(error.errors()))
        return real(error)

    monkeypatch.setattr(errors, "_from_schema", counted)
    answer = server.post(path, content=content, headers={**AUTH, "Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param
    assert counts == [1]


@pytest.mark.parametrize("content", [b"[" + b"[]," * 3_000_000, b"[" * 140_000, b'{"a":' * 140_000, b"," * 140_000])
@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/moderations", "/beta/litellm_basic_guardrail_api"])
def test_a_body_of_too_many_parts_is_refused_unparsed(server: Running, path: str, content: bytes) -> None:
    """Parsed, ten megabytes of empty lists are hundreds, in the thread that answers everybody."""
    for kind in ("application/json", "multipart/form-data; boundary=a"):
        answer = server.post(path, content=content, headers={**AUTH, "Content-Type": kind})
        error = answer.json()["error"]
        assert answer.status_code == 413 and error["code"] == "body_too_large" and error["param"] == "body"
        assert "131072 of the bytes [ { and ," in error["message"]


def test_texts_of_commas_and_files_of_any_bytes_are_not_taken_for_many_parts(server: Running) -> None:
    most = server.service.settings.max_prompt_chars
    answer = server.post("/v1/moderations", json={"input": ["a" + "," * (most - 1)] * MOST_INPUTS})
    assert "tokens" in answer.json()["error"]["message"]  # it was read
    files = {"image": ("a.png", b"[" * 140_000)}
    answer = server.post("/v1/images/edits", data={"prompt": MILD}, files=files)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "image"


def test_headers_are_bounded_before_anybody_asks_for_a_key(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection, contextlib.suppress(OSError):
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        for _ in range(64):
            connection.sendall(b"a" * 2**16)
        connection.settimeout(5)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert server.get("/version").status_code == 200


def test_unknown_routes_and_methods_answer_in_the_same_shape(server: Running) -> None:
    assert server.get("/nothing").json()["error"]["code"] == "not_found"
    assert server.get("/v1/images/generations").status_code == 405
    assert server.get("/docs").status_code == server.get("/openapi.json").status_code == 404


def _anything(rng: random.Random) -> Any:
    return rng.choice(
        [
            "\ud800", "１６x１６", None, True, -1, 0, 2**64, -1e308, 0.5, "", "x" * rng.randrange(1, 9000),
            "../../etc/passwd", "a\0b", "\u202e", [], [1], [[]], {}, {"a": 1}, {"safety": None},
            "http://127.0.0.1:1/a.png", "16x16x16",
        ]
    )  # fmt: skip


FIELDS = (
    "prompt model n size seed num_inference_steps guidance_scale negative_prompt output_format output_compression "
    "response_format quality background moderation stream partial_images user safety_identifier safety"
).split()
INSIDE = ["safety", "safe_prompt", "on_unsafe", "on_unsafe_prompt"]


def bad_request(rng: random.Random) -> dict[str, Any]:
    """A request with at least one field that cannot be right: a name that nobody knows."""
    body: dict[str, Any] = {"prompt": MILD, "num_inference_steps": 1}
    for _ in range(rng.randrange(4)):
        body[rng.choice(FIELDS)] = _anything(rng)
    if rng.random() < 0.3:
        body["safety"] = {rng.choice(INSIDE): _anything(rng), "never": _anything(rng)}
    else:
        body["".join(rng.choices("abcdefgh_$.\u00e9", k=6))] = _anything(rng)
    return body


def _fuzz(server: Running, count: int) -> None:
    rng = random.Random(0)
    with httpx.Client(headers=AUTH, timeout=60, trust_env=False) as client:
        for _ in range(count):
            body = bad_request(rng)
            answer = client.post(
                f"{server.url}/v1/images/generations",
                content=json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            error = answer.json()["error"]
            assert 400 <= answer.status_code < 500 and error["param"] and error["message"], body
        assert client.get(f"{server.url}/livez").status_code == 200


def test_300_random_bad_requests_are_all_refused(server: Running) -> None:
    _fuzz(server, 300)


@pytest.mark.slow
def test_5000_random_bad_requests_are_all_refused(server: Running) -> None:
    _fuzz(server, 5000)


@pytest.mark.slow
def test_random_requests_that_may_be_right_never_give_a_5xx(server: Running) -> None:
    rng = random.Random(1)
    for _ in range(1000):
        fields = {name: value for name, value in bad_request(rng).items() if name in FIELDS}
        body = {"prompt": MILD, "num_inference_steps": 2, "seed": 1, **fields}
        # Escaped, as the client's own encoder refuses lone surrogates and they would never reach the server.
        headers = {"Content-Type": "application/json", **AUTH}
        answer = server.post("/v1/images/generations", content=json.dumps(body), headers=headers)
        assert answer.status_code < 500, body
