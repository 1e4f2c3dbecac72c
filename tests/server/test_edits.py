"""`POST /v1/images/edits`: the plain pipeline's picture where nothing is wrong, and the sent picture is checked."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
import torch
from PIL import Image

from counterpoint.interfaces import Detection
from counterpoint.provenance.files import EDITED
from counterpoint.provenance.inspection import inspect_file
from counterpoint.server.editing import editors
from tests.server.conftest import MILD, RISKY, Running, pictures_of, running
from tests.server.test_faults import Looker, raising, wrap_with


def picture(width: int = 32, height: int = 32) -> Image.Image:
    return Image.effect_noise((width, height), 60).convert("RGB")


def file_of(image: Image.Image, file_format: str = "png", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


PICTURE = picture()
IMAGE = file_of(PICTURE)


def mask_file(width: int = 32, height: int = 32, *, hole: bool = True) -> bytes:
    mask = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    if hole:
        mask.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    return file_of(mask)


def edit(server: Running, prompt: str = MILD, files: dict[str, Any] | None = None, **fields: Any) -> Any:
    data = {"prompt": prompt, "num_inference_steps": "4", "seed": "1", **fields}
    return server.post("/v1/images/edits", data=data, files={"image": ("a.png", IMAGE)} if files is None else files)


@pytest.fixture(scope="module")
def looker() -> Looker:
    return Looker()


@pytest.fixture(scope="module")
def server(tiny: Callable[[str], Any], looker: Looker) -> Any:
    with running(tiny, wrap=wrap_with(looker), max_pixels=64 * 64, max_per_key=100) as one:
        yield one


def plain(pipe: Any, task: str, prompt: str = MILD, **call: Any) -> Image.Image:
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

    kind = AutoPipelineForImage2Image if task == "edit" else AutoPipelineForInpainting
    edits = kind.from_pipe(pipe)
    image: Image.Image = edits(
        prompt=[prompt], num_inference_steps=4, generator=[torch.Generator().manual_seed(1)], **call
    ).images[0]
    return image


def test_the_official_client_edits(server: Running, tmp_path: Path) -> None:
    answer = server.client().images.edit(
        image=("room.png", IMAGE), prompt=RISKY, model="tiny", n=2, size="auto",
        extra_body={
            "seed": 7, "num_inference_steps": 4, "guidance_scale": 3.0, "strength": 0.5, "safety": {"safety": "high"},
        },
    )  # fmt: skip
    assert answer.data is not None and answer.model_extra is not None
    assert answer.model_extra["settings"]["strength"] == 0.5 and answer.size == "32x32"  # type: ignore[comparison-overlap]
    for index, entry in enumerate(answer.data):
        assert entry.model_extra is not None and entry.b64_json is not None
        assert entry.model_extra["seed"] == 7 + index
        assert entry.model_extra["safety"]["action"] == "steered"
        (tmp_path / "a.png").write_bytes(base64.b64decode(entry.b64_json))
        assert inspect_file(tmp_path / "a.png").source_type == EDITED


def test_a_harmless_edit_is_the_plain_pipelines(server: Running, tiny: Callable[[str], Any]) -> None:
    (drawn,) = pictures_of(edit(server, strength="0.75"))
    assert drawn.tobytes() == plain(tiny("tiny"), "edit", image=[PICTURE], strength=0.75).tobytes()
    mask = Image.new("L", (32, 32), 0)
    mask.paste(255, (0, 0, 16, 32))
    answer = edit(server, strength="1", files={"image": ("a", IMAGE), "mask": ("b", mask_file())})
    expected = plain(tiny("tiny"), "inpaint", image=[PICTURE], mask_image=[mask], strength=1.0, width=32, height=32)
    assert pictures_of(answer)[0].tobytes() == expected.tobytes()


@pytest.mark.parametrize("task", ["edit", "inpaint"])
def test_an_unsafe_edit_is_steered(server: Running, tiny: Callable[[str], Any], task: str) -> None:
    files: dict[str, Any] = {"image": ("a.png", IMAGE)} | (
        {"mask": ("b.png", mask_file())} if task == "inpaint" else {}
    )
    entry = edit(server, RISKY, files=files, strength="1", **{"safety[safety]": "max"}).json()["data"][0]
    assert entry["safety"]["action"] == "steered" and entry["safety"]["weight"] == 1.0
    call: dict[str, Any] = {"image": [PICTURE], "strength": 1.0}
    if task == "inpaint":
        mask = Image.new("L", (32, 32), 0)
        mask.paste(255, (0, 0, 16, 32))
        call |= {"mask_image": [mask], "width": 32, "height": 32}
    drawn = Image.open(io.BytesIO(base64.b64decode(entry["b64_json"]))).tobytes()
    assert drawn != plain(tiny("tiny"), task, RISKY, **call).tobytes()
    safe = plain(tiny("tiny"), task, "a flower on a meadow", **call).tobytes()
    assert max(abs(a - b) for a, b in zip(drawn, safe, strict=True)) <= 1  # at "max" it is the safe prompt's


def test_the_sent_picture_is_checked_and_a_failing_check_is_no_pass(
    server: Running, looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = server.service.metrics.batch_pictures.labels(model="tiny")._sum.get()
    monkeypatch.setattr(looker, "unsafe", [True])
    for safety in ("off", "max"):
        refused = edit(server, **{"safety[safety]": safety, "safety[on_unsafe]": "steer"})
        assert refused.status_code == 400 and refused.json()["error"]["code"] == "moderation_blocked"
        details = refused.json()["error"]["moderation_details"]
        assert details == {"moderation_stage": "input", "categories": ["violence/graphic"]} or details == {
            "moderation_stage": "input", "categories": ["shocking"],
        }  # fmt: skip
    monkeypatch.setattr(Looker, "__call__", raising)
    assert edit(server).status_code == 503
    assert server.service.metrics.batch_pictures.labels(model="tiny")._sum.get() == before  # nothing was drawn


def test_both_sizes_of_a_sent_picture_are_looked_at(tiny: Callable[[str], Any]) -> None:
    seen: list[tuple[int, int]] = []

    class Sizes(Looker):
        def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
            seen.extend(one.size for one in pictures)
            return super().__call__(pictures)

    with running(tiny, wrap=wrap_with(Sizes())) as server:
        seen.clear()
        answer = edit(server, files={"image": ("a.png", file_of(picture(50, 37)))}, size="auto")
        assert answer.json()["size"] == "48x32" and seen[:2] == [(50, 37), (48, 32)]
        assert edit(server, size="64x48").json()["size"] == "64x48"


def test_without_a_picture_detector_nothing_is_edited(tiny: Callable[[str], Any]) -> None:
    with running(tiny) as server:
        answer = edit(server)
        assert answer.status_code == 400 and answer.json()["error"]["param"] == "image"
        assert "picture_detectors" in answer.json()["error"]["message"]


def test_the_cameras_orientation_counts(server: Running) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    lying = picture(48, 32)
    turned = edit(server, files={"image": ("a.png", file_of(lying, exif=exif))})
    upright = edit(server, files={"image": ("a.png", file_of(lying.transpose(Image.Transpose.ROTATE_270)))})
    assert turned.json()["size"] == "32x48"
    assert pictures_of(turned)[0].tobytes() == pictures_of(upright)[0].tobytes()


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("strength", {"strength": "0"}), ("strength", {"strength": "1.5"}), ("strength", {"strength": "nan"}),
        ("strength", {"strength": "0.1"}), ("n", {"n": "11"}), ("n", {"n": "1.5"}), ("n", {"n": ""}),
        ("size", {"size": "17x16"}), ("size", {"size": "80x80"}), ("seed", {"seed": "-1"}), ("prompt", {"prompt": ""}),
        ("num_inference_steps", {"num_inference_steps": "101"}), ("style", {"style": "vivid"}),
        ("safety", {"safety": "high"}), ("safety.level", {"safety[level]": "1"}), ("safety[]", {"safety[]": "1"}),
        ("input_fidelity", {"input_fidelity": "high"}), ("response_format", {"response_format": "url"}),
        ("image_url", {"image_url": "http://127.0.0.1:1/a.png"}), ("quality", {"quality": "hd"}),
        ("safety.safety", {"safety[safety]": "extreme"}), ("prompt_embeds", {"prompt_embeds": "0"}),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(server: Running, param: str, fields: dict[str, str]) -> None:
    answer = edit(server, **fields)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["param"] == param and error["message"].startswith(param)


BOMB = bytearray(IMAGE)
BOMB[16:24] = (60_000).to_bytes(4, "big") * 2  # a header that promises 3.6 billion pixels


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no picture", IMAGE[:-60], IMAGE[:30], bytes(BOMB), file_of(PICTURE, "gif"), file_of(PICTURE, "bmp"),
        file_of(picture(65, 64)), file_of(PICTURE, save_all=True, append_images=[picture()]),
        b"https://example.org/a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", file_of(picture(8, 32)),
    ],
)  # fmt: skip
def test_only_still_pictures_within_the_limits_are_taken(server: Running, content: bytes) -> None:
    answer = edit(server, files={"image": ("../../etc/passwd", content)})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "image"


@pytest.mark.parametrize(
    "mask", [b"", mask_file(16, 32), mask_file(hole=False), IMAGE, file_of(PICTURE, "jpeg")]
)  # fmt: skip
def test_a_wrong_mask_is_named(server: Running, mask: bytes) -> None:
    answer = edit(server, files={"image": ("a.png", IMAGE), "mask": ("b.png", mask)})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "mask"


def test_what_is_no_such_form_is_refused(server: Running) -> None:
    for files, param in (
        ({"picture": ("a", IMAGE), "image": ("b", IMAGE)}, "picture"),
        ([("image[]", ("a", IMAGE)), ("image[]", ("b", IMAGE))], "image"),
        ({"mask": ("a", mask_file())}, "image"),
        ({"image": (None, "data:image/png;base64,AAAA")}, "image"),
    ):
        answer = server.post("/v1/images/edits", data={"prompt": MILD}, files=files)
        assert answer.status_code == 400 and answer.json()["error"]["param"] == param
    for options in (
        {"json": {"prompt": MILD, "image": "a"}},
        {"content": b"--a\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data"}},
        {"data": {f"field{index}": "1" for index in range(100)}, "files": {"image": ("a", IMAGE)}},
        {"data": {"prompt": "a" * 100_000}, "files": {"image": ("a", IMAGE)}},
    ):
        answer = server.post("/v1/images/edits", **options)
        assert answer.status_code == 400 and answer.json()["error"]["param"] in ("body", "image"), options


def test_a_model_without_such_a_pipeline_says_so(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.service.workers["tiny"], "_editors", {})
    with pytest.raises(openai.BadRequestError) as wrong:
        server.client().images.edit(image=("a.png", IMAGE), prompt=MILD)
    assert wrong.value.param == "model"


def test_an_idempotency_key_looks_at_the_parts_and_not_at_their_borders(server: Running) -> None:
    def send(key: str, **fields: str) -> Any:
        data = {"prompt": MILD, "num_inference_steps": "2", **fields}
        return server.post(
            "/v1/images/edits", data=data, files={"image": ("a.png", IMAGE)}, headers={"Idempotency-Key": key}
        )

    first, again = send("one"), send("one")
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert send("one", seed="3").status_code == 422


def test_the_pipelines_share_all_weights(server: Running) -> None:
    safe = server.service.workers["tiny"].safe
    assert safe is not None
    found = editors(safe)
    assert set(found) == {"edit", "inpaint"}
    for one in found.values():
        assert one.pipe.unet is safe.pipe.unet and one.pipe.vae is safe.pipe.vae and one.detector is safe.detector
