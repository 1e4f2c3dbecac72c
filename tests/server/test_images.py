"""OpenAI's own client draws; what was done to each picture is told, and the operator's floor holds."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
import torch
from PIL import Image

from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.pipeline import SafePipeline
from counterpoint.provenance.inspection import inspect_file
from counterpoint.server.config import Settings
from counterpoint.server.policy import plan_of
from counterpoint.server.schemas import ImageRequest
from tests.server.conftest import MILD, RISKY, Running, pictures_of, running


def test_the_official_client_gets_pictures_and_reports(server: Running) -> None:
    answer = server.client().images.generate(
        prompt=RISKY, n=2, model="tiny", size="auto", response_format="b64_json", output_format="png",
        extra_body={"seed": 7, "num_inference_steps": 2, "guidance_scale": 3.0, "safety": {"safety": "high"}},
    )  # fmt: skip
    assert answer.data is not None and len(answer.data) == 2
    for index, entry in enumerate(answer.data):
        assert entry.model_extra is not None and entry.b64_json is not None
        assert entry.model_extra["seed"] == 7 + index
        assert entry.model_extra["safety"]["action"] == "steered" and entry.model_extra["safety"]["weight"] == 1.0
        content = base64.b64decode(entry.b64_json)
        assert entry.model_extra["sha256"] == hashlib.sha256(content).hexdigest()
        assert Image.open(io.BytesIO(content)).size == (16, 16)
    assert answer.model_extra is not None
    assert answer.model_extra["settings"] == {
        "seed": 7, "num_inference_steps": 2, "guidance_scale": 3.0, "safety": 0.75, "on_unsafe": None,
        "on_unsafe_prompt": "steer",
    }  # fmt: skip


def test_a_harmless_picture_is_the_plain_pipelines(server: Running, tiny: Callable[[str], Any]) -> None:
    (picture,) = pictures_of(server.draw(MILD, seed=5, num_inference_steps=3))
    generator = torch.Generator().manual_seed(5)
    plain = tiny("tiny")(prompt=[MILD], num_inference_steps=3, generator=[generator]).images[0]
    assert picture.tobytes() == plain.tobytes()


def test_the_same_request_gives_the_same_bytes(server: Running) -> None:
    first, second = (server.draw(RISKY, n=2, output_format="jpeg").json()["data"] for _ in range(2))
    assert [one["sha256"] for one in first] == [one["sha256"] for one in second]
    alone = server.draw(RISKY, seed=2, output_format="jpeg").json()["data"][0]
    assert alone["sha256"] == first[1]["sha256"] != first[0]["sha256"]


def test_pictures_say_that_they_are_synthetic(server: Running, tmp_path: Path) -> None:
    for file_format in ("png", "jpeg", "webp"):
        entry = server.draw(RISKY, output_format=file_format).json()["data"][0]
        path = tmp_path / f"a.{file_format}"
        path.write_bytes(base64.b64decode(entry["b64_json"]))
        found = inspect_file(path)
        assert found.file_format == file_format and found.is_synthetic and found.record is not None
        assert found.record["seed"] == 1 and found.record["report"]["action"] == "steered"
        assert b"chef" not in path.read_bytes()


def test_the_watermark_is_in_every_picture(tiny: Callable[[str], Any], tmp_path: Path) -> None:
    with running(tiny, watermark=True) as server:
        for number, entry in enumerate(server.draw(RISKY, n=2, size="64x64").json()["data"]):
            (tmp_path / f"{number}.png").write_bytes(base64.b64decode(entry["b64_json"]))
            assert inspect_file(tmp_path / f"{number}.png").has_watermark
        assert server.draw(size="48x48").json()["error"]["param"] == "size"


def test_a_request_may_be_refused_rather_than_steered(server: Running) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.client().images.generate(prompt=RISKY, extra_body={"safety": {"on_unsafe_prompt": "block"}})
    assert refused.value.code == "moderation_blocked" and refused.value.type == "image_generation_user_error"
    assert isinstance(refused.value.body, dict)
    details = refused.value.body["moderation_details"]
    assert details == {"moderation_stage": "input", "categories": ["violence"]}
    assert server.draw(MILD, safety={"on_unsafe_prompt": "block"}).status_code == 200


def test_what_is_drawn_at_no_setting_is_refused_before_it_waits(server: Running) -> None:
    before = server.service.metrics.batch_pictures.labels(model="tiny")._sum.get()
    answer = server.draw("an erotic picture of a minor", safety={"safety": "off"})
    assert answer.status_code == 400
    assert answer.json()["error"]["moderation_details"]["categories"] == ["sexual/minors"]
    assert server.service.metrics.batch_pictures.labels(model="tiny")._sum.get() == before


def test_blocked_pictures_leave_their_place_empty(tiny: Callable[[str], Any]) -> None:
    from tests.server.test_faults import Looker, wrap_with

    looker = Looker(unsafe=[True, False])
    with running(tiny, wrap=wrap_with(looker), on_unsafe="block", max_batch=2, exact_seeds=False) as server:
        entries = server.draw(MILD, n=2).json()["data"]
        assert [entry["safety"]["action"] for entry in entries] == ["blocked", "passed"]
        assert entries[0]["b64_json"] is None and entries[1]["b64_json"] is not None
        looker.unsafe = [True, True]
        refused = server.draw(MILD, n=2)
        assert refused.status_code == 400
        details = refused.json()["error"]["moderation_details"]
        assert details == {"moderation_stage": "output", "categories": ["shocking"]}


def test_callers_can_only_tighten(tiny: Callable[[str], Any]) -> None:
    from tests.server.test_faults import Looker, wrap_with

    operator: dict[str, Any] = {"min_safety": 0.5, "safety": 0.6, "on_unsafe": "blur", "on_unsafe_prompt": "block"}
    with running(tiny, wrap=wrap_with(Looker()), **operator) as server:
        for wrong, param in (
            ({"safety": 0.49}, "safety.safety"),
            ({"safety": "off"}, "safety.safety"),
            ({"on_unsafe": "flag"}, "safety.on_unsafe"),
            ({"on_unsafe_prompt": "steer"}, "safety.on_unsafe_prompt"),
        ):
            answer = server.draw(MILD, safety=wrong)
            assert answer.status_code == 400 and answer.json()["error"]["param"] == param
        told = server.draw(MILD, safety={"safety": 0.5, "on_unsafe": "steer"}).json()["settings"]
        assert (told["safety"], told["on_unsafe"], told["on_unsafe_prompt"]) == (0.5, "steer", "block")
        assert server.draw(MILD).json()["settings"]["safety"] == 0.6


@pytest.mark.parametrize("stream", [False, True])
def test_what_happens_to_unsafe_pictures_is_not_promised_where_nobody_looks(server: Running, stream: bool) -> None:
    for on_unsafe in ("steer", "block"):
        answer = server.draw(MILD, stream=stream, safety={"on_unsafe": on_unsafe})
        error = answer.json()["error"]
        assert answer.status_code == 400 and error["param"] == "safety.on_unsafe"
        assert "no picture detector" in error["message"] and on_unsafe in error["message"]
    assert server.draw(MILD, stream=stream, safety={"on_unsafe": None}).status_code == 200


@pytest.mark.parametrize("n", [1, 10])
def test_the_seeds_of_a_request_are_drawn_from_those_that_do_not_repeat(
    monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    """torch's generator of a CPU looks at 32 bits of a seed: beyond, noise comes again."""
    noises = [torch.randn(4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 2**32, 2**32 - 1)]
    assert torch.equal(noises[0], noises[1]) and not torch.equal(noises[0], noises[2])
    monkeypatch.setattr("counterpoint.server.policy.secrets.randbelow", lambda below: below - 1)  # the largest there is
    plan = plan_of(ImageRequest(prompt=MILD, n=n), Settings())
    assert plan.seed + n - 1 == 2**32 - 1
    plan = plan_of(ImageRequest(prompt=MILD, n=n, seed=2**32 - n), Settings())
    assert plan.seed + n - 1 == 2**32 - 1
    with pytest.raises(InvalidInput, match="seed"):
        plan_of(
            ImageRequest(prompt=MILD, n=n, seed=2**32 - n + 1)
            if n > 1
            else ImageRequest.model_construct(prompt=MILD, n=n, seed=2**32),
            Settings(),
        )


def test_an_idempotency_key_draws_once(server: Running) -> None:
    from tests.server.conftest import KEY

    def post(key: str, **fields: Any) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": key}
        body = {"prompt": MILD, "num_inference_steps": 1, **fields}
        return server.post("/v1/images/generations", json=body, headers=headers)

    first, again = post("one"), post("one")  # no seed: a second drawing would be another picture
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert post("one", seed=3).status_code == 422
    assert post("two").json()["data"] != first.json()["data"]
    assert post("", seed=3).json()["error"]["param"] == "Idempotency-Key"


def test_on_a_cpu_pictures_of_a_batch_are_decoded_one_by_one(tiny: Callable[[str], Any]) -> None:
    pipe = tiny("tiny")
    decoded: list[int] = []
    handle = pipe.vae.decoder.register_forward_hook(lambda module, args, output: decoded.append(len(output)))
    pipe(["a cat", "a dog"], num_inference_steps=1)
    handle.remove()
    assert decoded == [1, 1]


def test_the_last_digits_of_scores_do_not_change_the_bytes(tiny: Callable[[str], Any]) -> None:
    calls = itertools.count()

    def jittered(prompts: Sequence[str]) -> list[Detection]:
        score = 0.25 + 1e-7 * next(calls)
        return [Detection(is_unsafe=False, score=score, categories={"violence": score}) for _ in prompts]

    def wrap_with_jitter(pipe: Any, settings: Settings) -> SafePipeline:
        return SafePipeline(pipe, detector=jittered)

    with running(tiny, wrap=wrap_with_jitter, watermark=True) as server:
        first, second = (server.draw(seed=1, size="64x64").json()["data"][0] for _ in range(2))
    assert first["safety"]["score"] != second["safety"]["score"]
    assert first["sha256"] == second["sha256"]
