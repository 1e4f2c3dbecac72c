"""The output check within a call: drawn again from the same noise, hidden, or flagged; never returned unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from counterpoint.embeddings.safety_context import SafetyContext
from counterpoint.interfaces import Detection, InvalidInput, SafeText, SafetyFailure
from counterpoint.output_check import BLOCKED_COLOUR
from counterpoint.pipeline import SafePipeline
from counterpoint.risk_weight import RiskWeight

UNSAFE, BENIGN = "a chef with a knife in a room", "a cat with a book on a beach"
STEPS = {"num_inference_steps": 3, "output_type": "np"}


def knife_gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in p, score=0.5, categories={"violence": 0.5}) for p in prompts]


def drop_knife(prompt: str, detection: Detection) -> SafeText:
    return SafeText(prompt=prompt.replace(" with a knife", ""))


class Eye:
    """Finds those pictures unsafe that a function names; keeps count of what it saw."""

    def __init__(self, is_unsafe: Callable[[int, Image.Image], bool]) -> None:
        self.is_unsafe = is_unsafe
        self.looks = 0

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        self.looks += 1
        verdicts = [self.is_unsafe(index, picture) for index, picture in enumerate(pictures)]
        return [Detection(is_unsafe=v, score=float(v), categories={"blades": float(v)}) for v in verdicts]


def guard(pipe: Any, eye: Any, **options: Any) -> SafePipeline:
    return SafePipeline(
        pipe, **{"detector": knife_gate, "embedding": drop_knife, "picture_detectors": [eye], **options}
    )


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_what_is_found_safe_stays_as_it_was_drawn(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: False)
    looked = guard(tiny_pipe, eye)([UNSAFE, BENIGN], generator=generators(1, 2), **STEPS)
    plain = guard(tiny_pipe, eye, picture_detectors=())([UNSAFE, BENIGN], generator=generators(1, 2), **STEPS)
    assert np.array_equal(looked.images, plain.images)
    assert [(r.picture_unsafe, r.redraws, r.action) for r in looked.safety] == [
        (False, 0, "steered"),
        (False, 0, "passed"),
    ]
    assert [r.picture_unsafe for r in plain.safety] == [None, None]


def test_an_unsafe_picture_is_the_one_of_a_higher_level_from_the_same_noise(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: index == 0 and eye.looks == 1)
    steered = guard(tiny_pipe, eye)([UNSAFE, BENIGN], safety="low", generator=generators(1, 2), **STEPS)
    without = guard(tiny_pipe, eye, picture_detectors=())
    high = without([UNSAFE], safety="high", generator=generators(1), **STEPS)
    plain = without([UNSAFE, BENIGN], safety="low", generator=generators(1, 2), **STEPS)
    assert np.array_equal(steered.images[0], high.images[0])
    assert np.array_equal(steered.images[1], plain.images[1])
    first, second = steered.safety
    assert (first.action, first.safety, first.redraws, first.picture_unsafe) == ("steered", 0.75, 1, False)
    assert first.cost.denoiser_rows > high.safety[0].cost.denoiser_rows
    assert (second.action, second.redraws) == ("passed", 0)


def test_a_prompt_that_the_gate_passed_is_steered_where_its_picture_is_unsafe(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: eye.looks == 1)
    safe = SafePipeline(tiny_pipe, detector=knife_gate, picture_detectors=[eye])
    out = safe(BENIGN, generator=generators(1), **STEPS)
    plain = tiny_pipe(BENIGN, generator=generators(1), **STEPS)
    assert not np.array_equal(out.images, plain.images)
    report = out.safety[0]
    assert (report.action, report.embedding, report.redraws, report.score) == ("steered", "Neutral", 1, 0.5)


class Sizes(Eye):
    """Also notes how many pictures each look has."""

    def __init__(self, is_unsafe: Callable[[int, Image.Image], bool]) -> None:
        super().__init__(is_unsafe)
        self.sizes: list[int] = []

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        self.sizes.append(len(pictures))
        return super().__call__(pictures)


PROMPTS = [BENIGN, UNSAFE, f"{UNSAFE} in Rome", BENIGN]


@pytest.mark.parametrize(
    "call",
    [
        {"prompt": PROMPTS},
        {"prompt": PROMPTS, "negative_prompt": ["a dog", "a bird", "a tree", "a car"], "guidance_scale": 4.0},
        {"prompt": PROMPTS[1:3], "num_images_per_prompt": 2, "negative_prompt": ["a dog", "a bird"]},
        {"prompt": UNSAFE, "num_images_per_prompt": 4, "negative_prompt": "a dog"},
        {"prompt": PROMPTS, "latents": "given"},
    ],
)
def test_with_a_generator_a_picture_only_what_is_unsafe_is_drawn_again(tiny_pipe: Any, call: dict[str, Any]) -> None:
    eye = Sizes(lambda index, picture: eye.looks == 1 and index in (1, 2))
    if "latents" in call:
        unet = tiny_pipe.unet.config
        shape = (4, unet.in_channels, unet.sample_size, unet.sample_size)
        call = {**call, "latents": torch.randn(shape, generator=torch.Generator().manual_seed(3))}
    used = generators(1, 2, 3, 4)
    out = guard(tiny_pipe, eye)(**call, safety="low", generator=used, **STEPS)
    high = guard(tiny_pipe, eye, picture_detectors=())(**call, safety="high", generator=generators(1, 2, 3, 4), **STEPS)
    assert eye.sizes == [4, 2]
    assert np.allclose(out.images[1:3], high.images[1:3], atol=1e-4)  # kernels round by the size of a batch
    assert [report.redraws for report in out.safety] == [0, 1, 1, 0]


def test_whom_a_callback_tells_of_a_call_is_told_of_a_whole_one(tiny_pipe: Any) -> None:
    eye = Sizes(lambda index, picture: eye.looks == 1 and index == 0)
    seen: list[int] = []

    def count(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        seen.append(len(kwargs["latents"]))
        return {}

    guard(tiny_pipe, eye)([UNSAFE, BENIGN], generator=generators(1, 2), callback_on_step_end=count, **STEPS)
    assert eye.sizes == [2, 2] and set(seen) == {2}


class Doubt:
    """Calls nothing unsafe, and scores each look's first picture as told; the others 0."""

    def __init__(self, *scores: float) -> None:
        self.scores = iter(scores)

    def __call__(self, pictures: Any) -> list[Detection]:
        score = next(self.scores)
        return [Detection(is_unsafe=False, score=score if index == 0 else 0.0) for index, _ in enumerate(pictures)]


def test_a_doubtful_picture_is_drawn_again_and_never_hidden(tiny_pipe: Any) -> None:
    call = {"safety": "low", **STEPS}
    steered = guard(tiny_pipe, Doubt(0.3, 0.04))([UNSAFE, BENIGN], generator=generators(1, 2), **call)
    high = guard(tiny_pipe, None, picture_detectors=())(
        [UNSAFE, BENIGN], generator=generators(1, 2), **{**call, "safety": "high"}
    )
    assert np.allclose(steered.images, high.images, atol=1e-4)  # kernels round by the size of a batch
    assert [(r.action, r.redraws, r.picture_unsafe) for r in steered.safety] == [
        ("steered", 1, False),
        ("passed", 0, False),
    ]
    doubted = guard(tiny_pipe, Doubt(0.3, 0.3, 0.2))([UNSAFE, BENIGN], generator=generators(1, 2), **call)
    most = guard(tiny_pipe, None, picture_detectors=())(
        [UNSAFE, BENIGN], generator=generators(1, 2), **{**call, "safety": "max"}
    )
    assert np.allclose(doubted.images, most.images, atol=1e-4)  # the attempt at "high" scored no lower than the first
    assert (doubted.safety[0].action, doubted.safety[0].safety, doubted.safety[0].redraws) == ("steered", 1.0, 2)


@pytest.mark.parametrize(("doubt_from", "prompt", "how"), [(None, UNSAFE, "steer"), (0.5, UNSAFE, "steer"),
                                                           (0.1, BENIGN, "steer"), (0.1, UNSAFE, "block")])  # fmt: skip
def test_doubt_counts_where_the_prompt_asked_for_harm_only(
    tiny_pipe: Any, doubt_from: float | None, prompt: str, how: str
) -> None:
    out = guard(tiny_pipe, Doubt(0.3), doubt_from=doubt_from, on_unsafe=how)(prompt, **STEPS)
    assert out.safety[0].redraws == 0


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.1])
def test_a_wrong_doubt_is_refused(tiny_pipe: Any, wrong: float) -> None:
    with pytest.raises(InvalidInput, match="doubt_from"):
        guard(tiny_pipe, Doubt(0.3), doubt_from=wrong)


@pytest.mark.parametrize("kind", ["pil", "np", "pt"])
def test_what_no_level_makes_safe_is_blocked(tiny_pipe: Any, kind: str) -> None:
    eye = Eye(lambda index, picture: index == 0)
    out = guard(tiny_pipe, eye)([UNSAFE, BENIGN], safety="low", **{**STEPS, "output_type": kind})
    assert eye.looks == 3  # as asked, high, max
    assert [r.action for r in out.safety] == ["blocked", "passed"]
    assert (out.safety[0].redraws, out.safety[0].picture_unsafe) == (2, True)
    values = out.images[0]
    values = values.permute(1, 2, 0).numpy() if kind == "pt" else np.asarray(values)
    values = values if kind == "pil" else (values * 255).round()
    assert np.all(values == BLOCKED_COLOUR)


@pytest.mark.parametrize(("how", "action"), [("blur", "blurred"), ("block", "blocked"), ("flag", "steered")])
def test_other_ways_draw_once(tiny_pipe: Any, how: Any, action: str) -> None:
    eye = Eye(lambda index, picture: True)
    plain = guard(tiny_pipe, eye, picture_detectors=())(UNSAFE, generator=generators(1), **STEPS)
    out = guard(tiny_pipe, eye)(UNSAFE, on_unsafe=how, generator=generators(1), **STEPS)
    assert (eye.looks, out.safety[0].action, out.safety[0].picture_unsafe) == (1, action, True)
    assert np.array_equal(out.images, plain.images) == (how == "flag")


def test_generators_stand_where_one_drawing_leaves_them(tiny_pipe: Any) -> None:
    looked, plain = generators(1), generators(1)
    guard(tiny_pipe, Eye(lambda index, picture: True))(UNSAFE, generator=looked, **STEPS)
    tiny_pipe(BENIGN, generator=plain, **STEPS)
    assert torch.equal(looked[0].get_state(), plain[0].get_state())


def test_without_a_generator_the_noise_is_the_same_again(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: eye.looks == 1)
    torch.manual_seed(5)
    looked = guard(tiny_pipe, eye)(UNSAFE, safety="low", **STEPS)
    after = torch.rand(1)
    torch.manual_seed(5)
    high = guard(tiny_pipe, eye, picture_detectors=())(UNSAFE, safety="high", **STEPS)
    assert np.array_equal(looked.images, high.images)
    assert torch.equal(after, torch.rand(1))


def test_a_detector_that_fails_on_the_second_look_returns_nothing(tiny_pipe: Any) -> None:
    def fail(index: int, picture: Image.Image) -> bool:
        if eye.looks > 1:
            raise RuntimeError("lost")
        return True

    eye = Eye(fail)
    with pytest.raises(SafetyFailure, match="output check Eye failed"):
        guard(tiny_pipe, eye)(UNSAFE, **STEPS)


def test_off_is_off_and_latents_cannot_be_looked_at(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: True)
    assert guard(tiny_pipe, eye)(UNSAFE, safety="off", **STEPS).safety[0].picture_unsafe is None
    assert eye.looks == 0
    with pytest.raises(InvalidInput, match="output_type"):
        guard(tiny_pipe, eye)(UNSAFE, **{**STEPS, "output_type": "latent"})
    with pytest.raises(InvalidInput, match="on_unsafe"):
        guard(tiny_pipe, eye)(UNSAFE, on_unsafe="shrug", **STEPS)


def test_a_negative_prompt_that_pushes_safety_away_engages(tiny_pipe: Any) -> None:
    safe = SafePipeline(tiny_pipe, detector=knife_gate)
    passed = safe(BENIGN, negative_prompt="knife", **STEPS).safety[0]
    both = SafePipeline(tiny_pipe)(UNSAFE, negative_prompt="a dog", **STEPS).safety[0]
    assert (both.action, both.embedding) == ("steered", "WordRemoval")  # a harmless negative prompt changes nothing
    steered = safe(BENIGN, negative_prompt="safe", **STEPS).safety[0]
    assert (passed.action, steered.action, steered.embedding) == ("passed", "steered", "SafetyContext")


def test_where_leaving_words_out_does_not_help_a_neutral_scene_is_said(tiny_pipe: Any) -> None:
    def gate(prompts: Any) -> list[Detection]:  # whatever stands first is unsafe, until nothing is left
        return [
            Detection(is_unsafe=p != "a scene", score=1.0, evidence=(p.split()[-1],) if p != "a scene" else ())
            for p in prompts
        ]

    report = SafePipeline(tiny_pipe, detector=gate)("red green blue white black grey", **STEPS).safety[0]
    assert (report.action, report.embedding) == ("steered", "Neutral")


def test_a_negative_prompt_cannot_disarm_the_safe_stream(tiny_pipe: Any) -> None:
    safe = SafePipeline(tiny_pipe)
    disarmed = safe(UNSAFE, negative_prompt="safe, a dog", safety="max", generator=generators(1), **STEPS)
    usual = safe(UNSAFE, negative_prompt="a dog", safety="max", generator=generators(1), **STEPS)
    assert disarmed.safety[0].embedding == "WordRemoval"
    assert np.array_equal(disarmed.images, usual.images)  # nor stay in the guidance


def test_a_picture_that_only_the_check_found_is_steered_at_the_top_of_the_dial_too(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: eye.looks == 1)
    report = guard(tiny_pipe, eye, embedding=None)(BENIGN, safety="max", **STEPS).safety[0]
    assert (report.action, report.safety, report.redraws) == ("steered", 1.0, 1)


@pytest.mark.parametrize(
    ("negative", "left"),
    [("a chef in a room", ""), ("room, CHEFS", ""), ("c h e f, r00m", ""), ("blurry, (chef:1.4), room", "blurry")],
)
def test_a_negative_prompt_that_repeats_the_safe_text_cancels_nothing(tiny_pipe: Any, negative: str, left: str) -> None:
    safe = guard(tiny_pipe, None, picture_detectors=())
    for given, same in ((negative, left), ([negative, "a dog"], [left, "a dog"])):
        prompt = UNSAFE if isinstance(given, str) else [UNSAFE, BENIGN]
        repeated, usual = (
            safe(prompt, negative_prompt=text, generator=generators(*range(1 if prompt is UNSAFE else 2)), **STEPS)
            for text in (given, same)
        )
        assert np.array_equal(repeated.images, usual.images)
        assert repeated.safety[0].action == "steered"


def test_a_negative_prompt_may_push_away_what_the_gate_engaged_on(tiny_pipe: Any) -> None:
    safe = SafePipeline(tiny_pipe, embedding=SafetyContext())  # its safe text keeps the prompt's words
    images = [
        safe(UNSAFE, negative_prompt=text, generator=generators(1), **STEPS).images
        for text in ("knife", "knife, chef", "")
    ]
    assert np.array_equal(images[0], images[1]) and not np.array_equal(images[0], images[2])


def test_what_is_no_detector_is_refused_at_once(tiny_pipe: Any) -> None:
    for wrong in (Eye(lambda index, picture: False), ["open_nsfw"], [Eye]):
        with pytest.raises(InvalidInput, match="picture_detectors"):
            guard(tiny_pipe, None, picture_detectors=wrong)


@pytest.mark.parametrize("answer", [None, [None], [True], 3])
def test_an_answer_that_is_no_verdict_is_a_failure(tiny_pipe: Any, answer: Any) -> None:
    with pytest.raises(SafetyFailure, match="output check function"):
        guard(tiny_pipe, lambda pictures: answer)(UNSAFE, **STEPS)


def test_drawing_again_uses_the_whole_weight(tiny_pipe: Any) -> None:
    eye = Eye(lambda index, picture: eye.looks == 1)
    report = guard(tiny_pipe, eye, risk=RiskWeight(floor=0.2))(UNSAFE, safety="low", **STEPS).safety[0]
    assert (report.weight, report.redraws) == (1.0, 1)


@pytest.mark.parametrize("where", ["score", "category"])
def test_a_verdict_that_is_no_number_is_no_verdict(tiny_pipe: Any, where: str) -> None:
    nan = float("nan")
    verdict = Detection(
        is_unsafe=False, score=nan if where == "score" else 0.0, categories={"a": nan if where == "category" else 0.0}
    )
    with pytest.raises(SafetyFailure, match="not finite"):
        guard(tiny_pipe, lambda pictures: [verdict] * len(pictures))(BENIGN, **STEPS)
    with pytest.raises(SafetyFailure, match="not finite"):
        SafePipeline(tiny_pipe, detector=lambda prompts: [verdict] * len(prompts))(BENIGN, **STEPS)
