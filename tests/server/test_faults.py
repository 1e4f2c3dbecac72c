"""Fail closed: wherever a fault strikes, no answer holds a pixel of the original stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from counterpoint.engines.denoiser import one_call_at_a_time
from counterpoint.interfaces import Detection, SafeText
from counterpoint.pipeline import SafePipeline
from counterpoint.server.config import Settings
from tests.server.conftest import MILD, RISKY, Running, WordGate, pictures_of, running, until


class Looker:
    """A picture detector that says what it is told to."""

    def __init__(self, unsafe: Sequence[bool] = (False,)) -> None:
        self.unsafe: Sequence[bool] = unsafe

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        told = [self.unsafe[index % len(self.unsafe)] for index in range(len(pictures))]
        return [Detection(is_unsafe=one, score=float(one), categories={"shocking": float(one)}) for one in told]


class Embedding:
    """A safe embedding: one fixed text."""

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        return SafeText(prompt="a flower on a meadow")


def wrap_with(looker: Looker) -> Callable[[Any, Settings], SafePipeline]:
    def wrap(pipe: Any, settings: Settings) -> SafePipeline:
        return SafePipeline(
            pipe, detector=WordGate(), embedding=Embedding(), picture_detectors=[looker], safety=settings.safety,
            on_unsafe=settings.on_unsafe,
        )  # fmt: skip

    return wrap


class Faults:
    """Breaks one part of a running server's pipeline at a time."""

    def __init__(self, server: Running) -> None:
        self.worker = server.service.workers["tiny"]
        assert self.worker.safe is not None
        self.safe = self.worker.safe

    def points(self) -> dict[str, tuple[Any, str]]:
        pipe = self.safe.pipe
        return {
            "gate": (self.safe, "detector"),
            "safe embedding": (self.safe, "embedding"),
            "text encoder": (pipe.text_encoder, "forward"),
            "denoiser": (pipe.unet, "forward"),
            "scheduler": (pipe.scheduler, "step"),
            "decoder": (pipe.vae, "decode"),
            "post-processing": (pipe.image_processor, "postprocess"),
        }


def raising(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("injected")


def not_finite(real: Callable[..., Any]) -> Callable[..., Any]:
    def broken(*args: Any, **kwargs: Any) -> Any:
        output = real(*args, **kwargs)
        first = output[0] if isinstance(output, tuple) else next(iter(output.values()))
        first.fill_(float("nan"))
        return output

    broken.keeps_no_features = True  # type: ignore[attr-defined]
    return broken


def out_of_memory(*args: Any, **kwargs: Any) -> Any:
    raise torch.OutOfMemoryError("injected")


out_of_memory.keeps_no_features = True  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server(tiny: Callable[[str], Any]) -> Any:
    with running(tiny, wrap=wrap_with(Looker()), max_per_key=100) as one:
        yield one


@pytest.fixture(scope="module")
def original(server: Running, tiny: Callable[[str], Any]) -> np.ndarray:
    """What the plain pipeline draws of the risky prompt: what nobody may see."""
    generator = torch.Generator().manual_seed(1)
    picture = tiny("tiny")(prompt=[RISKY], num_inference_steps=2, generator=[generator]).images[0]
    shown = server.draw(RISKY, safety={"safety": "off"})
    assert pictures_of(shown)[0].tobytes() == picture.tobytes()  # the canary is the right one
    return np.asarray(picture)


def holds_canary(response: Any, original: np.ndarray) -> bool:
    if response.status_code != 200:
        return "b64_json" in response.text
    return any(np.mean(np.asarray(picture) == original) > 0.5 for picture in pictures_of(response))


@pytest.mark.parametrize(
    ("point", "fault"),
    [
        *((name, raising) for name in ("gate", "safe embedding", "text encoder", "scheduler", "post-processing")),
        *((name, out_of_memory) for name in ("denoiser", "decoder")),
    ],
)
def test_a_part_that_raises_gives_503_and_no_picture(
    server: Running, original: np.ndarray, point: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = Faults(server).points()[point]
    monkeypatch.setattr(owner, name, fault)
    for how in ({}, {"n": 2}):
        answer = server.draw(RISKY, **how)
        assert answer.status_code == 503 and answer.headers["retry-after"], answer.text
        assert "injected" not in answer.text and "knife" not in answer.text
        assert not holds_canary(answer, original)
    with one_call_at_a_time(Faults(server).safe.pipe):  # the second picture's draw may end after the answer
        monkeypatch.undo()
    assert server.draw(RISKY).status_code == 200
    assert not holds_canary(server.draw(RISKY, safety={"safety": "max"}), original)


@pytest.mark.parametrize("point", ["denoiser", "decoder"])
def test_a_picture_of_nan_gives_503(
    server: Running, point: str, original: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = Faults(server).points()[point]
    monkeypatch.setattr(owner, name, not_finite(getattr(owner, name)))
    for prompt in (MILD, RISKY):
        answer = server.draw(prompt)
        assert answer.status_code == 503 and not holds_canary(answer, original)


@pytest.mark.parametrize(
    "place", ["counterpoint.provenance.marking.encode_picture", "counterpoint.server.drawing.step_callback"]
)
def test_the_servers_own_parts_fail_closed_too(
    server: Running, place: str, original: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, raising)
    answer = server.draw(RISKY)
    assert answer.status_code == 503 and not holds_canary(answer, original)


def test_a_failing_output_check_gives_503(
    server: Running, original: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Looker, "__call__", raising)
    for safety in ("off", 0.25, "max"):
        answer = server.draw(RISKY, safety={"safety": safety})
        assert answer.status_code == 503 and not holds_canary(answer, original)


@pytest.mark.parametrize(
    ("how", "action"), [("flag", "passed"), ("blur", "blurred"), ("steer", "blocked"), ("block", "blocked")]
)
def test_the_operators_detectors_look_at_dial_0_too(
    tiny: Callable[[str], Any], original: np.ndarray, how: str, action: str
) -> None:
    """The library's safety 0 is the plain pipeline, which nobody checks; nothing unchecked leaves the server."""
    with running(tiny, wrap=wrap_with(Looker([True, False])), on_unsafe="flag", exact_seeds=False) as server:
        rows = 2 * 2  # steps, guided: nothing is drawn again
        unsafe, safe = server.draw(RISKY, n=2, seed=1, safety={"safety": "off", "on_unsafe": how}).json()["data"]
        told = unsafe["safety"]
        assert told["action"] == action and told["picture_unsafe"] and told["redraws"] == 0
        assert told["cost"]["denoiser_rows"] == rows and told["picture_categories"] == {"shocking": 1.0}
        assert (unsafe["b64_json"] is None) == (action == "blocked")
        assert safe["safety"]["action"] == "passed" and safe["safety"]["picture_unsafe"] is False
        answer = server.draw(RISKY, safety={"safety": "off", "on_unsafe": how})
        assert holds_canary(answer, original) == (how == "flag")
        assert answer.status_code == (400 if action == "blocked" else 200)


def test_a_picture_that_drowns_the_mark_is_not_returned(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tiny, watermark=True) as server:
        monkeypatch.setattr("counterpoint.provenance.watermark.MARGIN", 1e9)
        answer = server.draw(MILD, size="64x64")
        assert answer.status_code == 503 and "b64_json" not in answer.text


def test_three_failures_in_a_row_make_it_not_ready_until_a_trial_succeeds(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterpoint.server.worker.TRIAL_SECONDS", 0.05)
    with running(tiny) as server:
        owner, name = Faults(server).points()["denoiser"]
        with monkeypatch.context() as broken:
            broken.setattr(owner, name, raising)
            for _ in range(3):
                assert server.get("/readyz").status_code == 200
                assert server.draw().status_code == 503
            assert server.get("/readyz").json()["models"] == {"tiny": "failing"}
            assert server.get("/livez").status_code == 200
        until(lambda: server.get("/readyz").status_code == 200)


def test_one_bad_picture_in_a_batch_fails_its_own_request_only(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Picky(WordGate):
        def __call__(self, prompts: Sequence[str]) -> list[Detection]:
            if threading.current_thread().name.startswith("worker") and any("skull" in p for p in prompts):
                raise RuntimeError("injected")
            return super().__call__(prompts)

    def wrap(pipe: Any, settings: Settings) -> SafePipeline:
        return SafePipeline(pipe, detector=Picky(), safety=settings.safety)

    with running(tiny, wrap=wrap, exact_seeds=False, batch_wait_ms=300, max_per_key=10) as server:
        answers: dict[str, Any] = {}
        prompts = (MILD, "a skull in a room", RISKY)
        threads = [
            threading.Thread(target=lambda p=prompt: answers.update({p: server.draw(p)}))  # type: ignore[misc]
            for prompt in prompts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answers[prompt].status_code for prompt in prompts] == [200, 503, 200]
