"""The measurements of `python -m counterpoint.bench.server`: what they count, and each of them once, small."""

from __future__ import annotations

import base64
import gc
import json
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from counterpoint.bench.server import __main__ as command
from counterpoint.bench.server import batching, faults, load, overload, soak
from counterpoint.bench.server.asking import Answer
from counterpoint.bench.server.injection import Injection, kinds, points, spoilt
from counterpoint.bench.server.running import private_bytes
from counterpoint.interfaces import Detection
from counterpoint.png import PictureRecord, encode_png
from tests.server.conftest import Running, running
from tests.server.test_faults import Looker, wrap_with


def file_of(value: int) -> bytes:
    from PIL import Image

    record = PictureRecord(
        prompt_sha256="", seed=0, steps=1, guidance_scale=1.0, scheduler="", model="", packages={}
    )  # fmt: skip
    return encode_png(Image.new("RGB", (16, 16), (value, 0, 0)), record)


def answer_of(*files: bytes, status: int = 200) -> Answer:
    body = {"data": [{"b64_json": base64.b64encode(file).decode()} for file in files]}
    return Answer(status=status, body=json.dumps(body).encode())


def test_each_kind_of_error_under_load_is_counted_as_what_it_is() -> None:
    answers = [answer_of(file_of(value)) for value in range(6)]
    wanted = [answer.sha256 for answer in answers]
    right = load.compared(wanted, answers, drawn=6)
    assert [figure.value for figure in right.values()] == [0, 0, 0, 0]
    got = [answers[0], answers[0], answer_of(file_of(99)), Answer(status=503), answers[5], answers[4]]
    told = load.compared(wanted, got, drawn=6)
    found = {name: figure.value * figure.n for name, figure in told.items()}
    assert found == {"lost": 1, "doubled": 1, "swapped": 3, "wrong": 1}
    assert load.compared(wanted, answers, drawn=8)["doubled"].value == pytest.approx(2 / 6)
    with pytest.raises(ValueError, match="different pictures"):
        load.compared([wanted[0], wanted[0]], answers[:2], drawn=2)


def test_a_refusal_counts_only_in_order() -> None:
    answers = [
        answer_of(file_of(1)), Answer(status=503, headers={"retry-after": "1"}), Answer(status=503), Answer(status=0),
    ]  # fmt: skip
    assert {name: figure.value for name, figure in overload.told(answers).items()} == {
        "drawn": 0.25, "refused in order": 0.25, "neither": 0.5,
    }  # fmt: skip


def test_the_slope_is_the_lines() -> None:
    rng = np.random.default_rng(0)
    line = soak.slope([5 + 0.25 * x for x in range(100)], "kB/request")
    assert line.value == pytest.approx(0.25) and line.low == pytest.approx(0.25)
    noisy = soak.slope(list(rng.normal(size=500)), "kB/request")
    assert noisy.low < 0 < noisy.high


def test_a_leak_is_told_from_warming_up() -> None:
    leak = soak.figures([1000 + 2.0 * x for x in range(300)], [0.0] * 300)
    warm = soak.figures([1000 + 2.0 * min(x, 80) for x in range(300)], [3.0 * x for x in range(300)])
    assert leak["private memory, slope"].value == pytest.approx(2)
    assert leak["private memory, slope of the last third"].value == pytest.approx(2)
    assert warm["private memory, slope"].value == pytest.approx(0, abs=1e-9)
    assert warm["resident memory, slope"].value == pytest.approx(3)
    assert warm["private memory after request 1"].value == pytest.approx(1000e3 / 2**20)
    assert warm["private memory after request 300"].value == pytest.approx(1160e3 / 2**20)


def test_private_memory_grows_by_what_is_written() -> None:
    """Pages of its own: an array may be laid where the process had freed memory before."""
    size = 64 * 2**20
    gc.collect()
    before = private_bytes(os.getpid())
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        for _ in range(size // 2**16):
            pages.write(b"x" * 2**16)
        assert private_bytes(os.getpid()) - before == pytest.approx(size, rel=0.05)


def test_pictures_are_compared_in_levels() -> None:
    pairs = [answer_of(file_of(value)) for value in (5, 7)], [answer_of(file_of(value)) for value in (5, 4)]
    assert batching.differences(*pairs) == [0, 3]
    with pytest.raises(ValueError, match="without a picture"):
        batching.differences([Answer(status=503)], [answer_of(file_of(1))])


def test_a_picture_of_the_original_stream_is_seen_wherever_it_stands() -> None:
    steered, plain = (faults.pixels(file_of(value)) for value in (1, 2))
    known = faults.Known(body={}, pictures=frozenset({steered.tobytes()}), canaries=[plain])
    assert faults.judged(answer_of(file_of(1)), known) == []
    assert faults.judged(answer_of(file_of(2)), known) == ["another", "canary"]
    assert faults.judged(answer_of(file_of(1), file_of(2), status=503), known) == ["another", "canary"]
    assert faults.judged(Answer(status=500), known) == ["other status"]
    assert faults.is_finished(answer_of(file_of(1)), {}) and not faults.is_finished(Answer(status=503), {})
    assert not faults.is_finished(answer_of(file_of(1)), {"stream": True})  # a partial one


def test_an_injection_strikes_once_and_leaves_no_trace() -> None:
    part = SimpleNamespace(work=lambda: 7)
    with Injection((part, "work"), "raises", at=2) as injection:
        assert part.work() == 7 and not injection.fired
        with pytest.raises(RuntimeError):
            part.work()
        assert injection.fired and part.work() == 7
    unet = torch.nn.Linear(2, 2)
    with Injection((unet, "forward"), "NaN", at=1):
        assert unet(torch.ones(2)).isnan().all()
    assert "forward" not in vars(unet) and unet(torch.ones(2)).isfinite().all()


def test_a_spoilt_detection_says_safe() -> None:
    detection = Detection(is_unsafe=True, score=1.0, categories={"violence": 1.0})
    (told,) = spoilt([detection])
    assert not told.is_unsafe and not told.is_finite


@pytest.fixture(scope="module")
def guarded(tiny: Callable[[str], Any]) -> Any:
    with running(tiny, wrap=wrap_with(Looker()), max_per_key=100) as one:
        yield one


@pytest.mark.parametrize("point", ["gate before the queue", "gate", "safe embedding", "mix", "picture check", "file"])
def test_a_fault_at_a_point_gives_503(guarded: Running, point: str) -> None:
    for kind in kinds(point):
        with Injection(points(guarded)[point], kind, at=1) as injection:
            answer = guarded.draw("a chef with a knife in a room")
        assert injection.fired and answer.status_code == 503 and "b64_json" not in answer.text, kind


def test_a_gate_whose_score_is_nan_is_no_verdict(guarded: Running) -> None:
    with Injection(points(guarded)["gate before the queue"], "NaN", at=1):
        answer = guarded.post("/v1/moderations", json={"input": "a knife"})
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "safety_failure"


@pytest.mark.parametrize("words", [["load"], ["nothing", "--out", "a.json"], ["load", "--out", "a.json", "--count=0"]])
def test_wrong_words_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2


SMALL = {
    "load": 8, "overload": 3, "disconnects": 3, "sigterm": 1, "faults": 24, "inputs": 20, "batching": 4, "soak": 10,
    "secrets": 5, "ready": 1,
}  # fmt: skip

NONE = (
    "lost", "doubled", "swapped", "wrong", "neither", "words found", "another picture than without a fault",
    "pictures of the original stream (canary)", "fired, and a finished picture left",
)  # fmt: skip
ALL = ("stopped within 2 steps", "left the queue", "ended with 0", "requests as before, after all faults")


@pytest.mark.slow
@pytest.mark.parametrize("part", SMALL)
def test_each_part_runs_and_writes_its_page(part: str, tmp_path: Path) -> None:
    out = tmp_path / f"{part}.json"
    assert command.main([part, "--count", str(SMALL[part]), "--out", str(out)]) == 0
    figures = {name: figure["value"] for name, figure in json.loads(out.read_text())["figures"].items()}
    assert not [name for name in NONE if figures.get(name)]
    assert not [name for name in ALL if figures.get(name, 1) != 1]
    assert command.PARTS[part].title in out.with_suffix(".md").read_text()


def test_all_parts_are_tried() -> None:
    assert SMALL.keys() == command.PARTS.keys()
