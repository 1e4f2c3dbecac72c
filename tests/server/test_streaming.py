"""Answers in parts: checked pictures of the drawing under way, never one of the original stream."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import httpx2 as httpx
import numpy as np
import openai
import pytest
from PIL import Image

from counterpoint.interfaces import Detection
from counterpoint.provenance.files import SYNTHETIC, read_source_type
from counterpoint.server.partials import moments
from tests.server.conftest import MILD, RISKY, Running, running, until
from tests.server.test_edits import IMAGE
from tests.server.test_faults import Looker, wrap_with

SAFE_TEXT = "a flower on a meadow"
"""What the safe stream of `wrap_with` is told."""


class Script(Looker):
    """Says of each call of its own what is next in a list, then "safe"; "fail" raises."""

    def __init__(self) -> None:
        super().__init__()
        self.todo: list[str] = []

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        verdict = self.todo.pop(0) if self.todo else "safe"
        if verdict == "fail":
            raise RuntimeError("injected")
        self.unsafe = [verdict == "unsafe"]
        return super().__call__(pictures)


SCRIPT = Script()


@pytest.fixture(scope="module")
def server(tiny: Callable[[str], Any]) -> Any:
    with running(tiny, wrap=wrap_with(SCRIPT), max_per_key=2) as one:
        yield one


def events_of(server: Running, prompt: str = MILD, **fields: Any) -> list[dict[str, Any]]:
    """Draw with three partial pictures, and return the events."""
    answer = server.draw(prompt, **{"num_inference_steps": 8, "stream": True, "partial_images": 3, **fields})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream"), answer.text
    events = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def pixels(event: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(event["b64_json"]))).convert("RGB"), dtype=int)


def test_the_official_client_streams(server: Running) -> None:
    stream = server.client().images.generate(
        prompt=RISKY, stream=True, partial_images=3, extra_body={"seed": 1, "num_inference_steps": 8}
    )
    events = list(stream)
    assert [event.type for event in events] == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:-1]] == [0, 1, 2]  # type: ignore[union-attr]
    for event in events:
        image = Image.open(io.BytesIO(base64.b64decode(event.b64_json)))
        image.load()
        assert event.size == "16x16" == f"{image.width}x{image.height}" and event.output_format == "png"
        assert read_source_type(image) == SYNTHETIC
    done = events[-1].model_extra
    assert done is not None and done["safety"]["action"] == "steered" and done["settings"]["seed"] == 1
    whole = server.draw(RISKY, num_inference_steps=8).json()["data"][0]
    assert done["sha256"] == whole["sha256"]  # looking on changes nothing


def test_edits_stream_too(tiny: Callable[[str], Any]) -> None:
    with running(tiny, wrap=wrap_with(Looker())) as server:
        stream = server.client().images.edit(
            image=("a.png", IMAGE), prompt=MILD, stream=True, partial_images=1,
            extra_body={"num_inference_steps": 8, "strength": 1.0},
        )  # fmt: skip
        assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


def test_without_partial_pictures_there_is_one_event(server: Running) -> None:
    assert [event["type"] for event in events_of(server, partial_images=0)] == ["image_generation.completed"]
    assert [event["type"] for event in events_of(server, partial_images=None)] == ["image_generation.completed"]


def test_partial_pictures_of_a_steered_prompt_are_the_mix(server: Running) -> None:
    """At "max" the mix is the safe prompt's own drawing, so the partial pictures must be that one's, too."""
    steered, safe = events_of(server, RISKY, safety={"safety": "max"}), events_of(server, SAFE_TEXT)
    original = events_of(server, RISKY, safety={"safety": "off"})
    assert len(steered) == len(safe) == len(original) == 4
    for mixed, expected, unsafe in zip(steered, safe, original, strict=True):
        assert np.abs(pixels(mixed) - pixels(expected)).max() <= 1
        assert np.mean(pixels(mixed) == pixels(unsafe)) < 0.5
    for mixed, unsafe in zip(events_of(server, RISKY, safety={"safety": 0.05}), original, strict=False):
        assert not np.array_equal(pixels(mixed), pixels(unsafe))


def test_no_picture_is_shown_before_the_mix_begins(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from counterpoint.mixing import MixingSchedule

    safe = server.service.workers["tiny"].safe
    assert safe is not None
    monkeypatch.setattr(safe, "schedule", MixingSchedule(weight=0.5, tau=0.7))
    assert [event["type"] for event in events_of(server, RISKY)] == [
        "image_generation.partial_image", "image_generation.completed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "shown"), [(["unsafe"], 2), (["safe", "unsafe", "unsafe"], 1), (["unsafe"] * 3, 0)]
)
def test_unsafe_partial_pictures_are_withheld(server: Running, verdicts: list[str], shown: int) -> None:
    SCRIPT.todo = list(verdicts)
    events = events_of(server)
    assert [event["type"] for event in events[:-1]] == ["image_generation.partial_image"] * shown
    assert [event["partial_image_index"] for event in events[:-1]] == list(range(shown))
    assert events[-1]["type"] == "image_generation.completed"


def test_a_check_that_fails_in_the_middle_ends_it_with_an_error(server: Running) -> None:
    for verdicts in (["safe", "fail"], ["safe", "safe", "safe", "fail"]):  # at a partial picture; at the finished one
        SCRIPT.todo = list(verdicts)
        events = events_of(server, RISKY)
        assert [event["type"] for event in events] == ["image_generation.partial_image"] * (len(verdicts) - 1) + [
            "error"
        ]
        assert events[-1]["error"]["code"] == "safety_failure" and "injected" not in json.dumps(events[-1])
    SCRIPT.todo = ["safe", "fail"]
    with pytest.raises(openai.APIError, match="safety step failed"):
        list(
            server.client().images.generate(
                prompt=RISKY, stream=True, partial_images=3, extra_body={"seed": 1, "num_inference_steps": 8}
            )
        )
    assert events_of(server)[-1]["type"] == "image_generation.completed"


def test_what_fails_before_the_first_event_has_a_status(server: Running) -> None:
    SCRIPT.todo = ["fail"]
    assert server.draw(MILD, num_inference_steps=8, stream=True, partial_images=3).status_code == 503
    refused = server.draw(RISKY, stream=True, safety={"on_unsafe_prompt": "block"})
    assert refused.status_code == 400 and refused.json()["error"]["code"] == "moderation_blocked"


def test_a_finished_picture_that_is_blocked_ends_it_with_an_error(server: Running) -> None:
    SCRIPT.todo = ["safe", "safe", "safe", "unsafe"]
    events = events_of(server, safety={"on_unsafe": "block"})
    assert events[-1]["type"] == "error" and events[-1]["error"]["code"] == "moderation_blocked"
    assert events[-1]["error"]["moderation_details"]["moderation_stage"] == "output"
    SCRIPT.todo = ["unsafe"]
    assert server.draw(MILD, stream=True, safety={"on_unsafe": "block"}).status_code == 400


def test_wrong_requests_are_named(server: Running) -> None:
    for param, fields in (
        ("n", {"n": 2}), ("partial_images", {"partial_images": 4}), ("partial_images", {"partial_images": -1}),
    ):  # fmt: skip
        assert server.draw(MILD, stream=True, **fields).json()["error"]["param"] == param
    body = {"prompt": MILD, "stream": True}
    answer = server.post("/v1/images/generations", json=body, headers={"Idempotency-Key": "one"})
    assert answer.json()["error"]["param"] == "Idempotency-Key"


def test_a_client_that_goes_ends_the_drawing_and_frees_its_place(server: Running) -> None:
    safe = server.service.workers["tiny"].safe
    assert safe is not None
    go, steps, real = threading.Event(), [0], safe.pipe.scheduler.step

    def step(*args: Any, **kwargs: Any) -> Any:
        steps[0] += 1
        if steps[0] == 17:  # the first partial picture came after 15 of 20 steps
            assert go.wait(30)
        return real(*args, **kwargs)

    safe.pipe.scheduler.step = step
    try:
        body = {"prompt": MILD, "num_inference_steps": 20, "stream": True, "partial_images": 1}
        with httpx.stream(
            "POST", f"{server.url}/v1/images/generations", json=body, trust_env=False, timeout=60
        ) as answer:
            lines = answer.iter_lines()  # kept: a lost iterator closes the connection
            assert next(lines) == "event: image_generation.partial_image"
            until(lambda: steps[0] == 17)
        until(lambda: '"status": 499' in server.log.getvalue())
        go.set()
        assert events_of(server, num_inference_steps=2)[-1]["type"] == "image_generation.completed"
        assert steps[0] <= 17 + 1 + 2
    finally:
        safe.pipe.scheduler.step = real
    until(lambda: not server.service.quota._held)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_moments_lie_in_the_second_half(count: int) -> None:
    for num_steps in range(1, 200):
        due = moments(num_steps, count)
        assert len(due) <= count and all(num_steps / 2 < moment < num_steps for moment in due)
        if num_steps >= 16:
            assert len(due) == count
