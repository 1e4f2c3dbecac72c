"""The fused engine against the plain pipeline, against the reference engine, and against failure."""

from __future__ import annotations

import copy
import threading
from typing import Any

import diffusers
import pytest
import torch
from torch import Generator, Tensor

from counterpoint.engines import fused, reference
from counterpoint.engines.drawn import Drawn
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
SCHEDULERS = [
    "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "PNDMScheduler",
    "UniPCMultistepScheduler", "HeunDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DDPMScheduler",
]  # fmt: skip
STEPS = {"num_inference_steps": 6, "output_type": "latent"}
FULL = MixingSchedule(weight=1.0)
HALF = MixingSchedule(weight=0.6, tau=0.5)


@pytest.fixture
def tiny_pipe(tiny_pipe: Any) -> Any:
    """The tiny pipeline, made to listen to its prompt: two prompts give two pictures, after tau too."""
    with torch.no_grad():
        for name, weight in tiny_pipe.unet.named_parameters():
            if "attn2.to_out.0.weight" in name:
                weight.mul_(20)
    return tiny_pipe


def knife_gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def with_scheduler(pipe: Any, name: str) -> Any:
    pipe.scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    return pipe


def draw(
    pipe: Any, schedule: MixingSchedule, prompt: Any = UNSAFE, safe_prompt: Any = SAFE, engaged: Any = (0,), **call: Any
) -> Drawn:
    call = {"generator": seeded(), **STEPS, "prompt": prompt, **call}
    num_images = (1 if isinstance(prompt, str) else len(prompt)) * call.get("num_images_per_prompt", 1)
    return fused.run(pipe, call, {"prompt": safe_prompt}, schedule, num_images=num_images, engaged=engaged)


def draw_plain(pipe: Any, prompt: Any, **call: Any) -> Any:
    return pipe(prompt, **{"generator": seeded(), **STEPS, **call}).images


def draw_reference(pipe: Any, schedule: MixingSchedule, guidance_scale: float = 7.5) -> Tensor:
    """One unsafe and one benign picture by the reference engine."""
    (unsafe, negative), (benign, _), (safe, _) = (
        pipe.encode_prompt(text, "cpu", 1, True) for text in (UNSAFE, BENIGN, SAFE)
    )
    streams = reference.Streams(
        prompt_embeds=torch.cat([unsafe, benign]),
        negative_prompt_embeds=negative.repeat(2, 1, 1) if guidance_scale > 1 else None,
        safe_prompt_embeds=safe,
        engaged=(0,),
    )
    call = {**STEPS, "guidance_scale": guidance_scale}
    drawn = reference.run(pipe, streams, schedule, coupling="joined", generator=seeded(), latents=None, call=call)
    images: Tensor = drawn.output.images
    return images


def distance(a: Tensor, b: Tensor) -> float:
    """Largest difference, as part of the range of `b`."""
    return float((a - b).abs().max() / (b.max() - b.min()))


def state(pipe: Any) -> list[Any]:
    """Everything that the engine touches: hooks, the scheduler's own attributes, the progress bar."""
    hooks = [
        [list(m._forward_hooks), list(m._forward_pre_hooks), list(m._forward_pre_hooks_with_kwargs)]
        for m in pipe.unet.modules()
    ]
    return [hooks, "step" in vars(pipe.scheduler), copy.copy(getattr(pipe, "_progress_bar_config", None))]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_before_tau_the_call_is_the_plain_pipeline_bit_for_bit(tiny_pipe: Any, scheduler: str) -> None:
    """Weight 0 in all steps but the last, whose prediction alone differs."""
    pipe, seen = with_scheduler(tiny_pipe, scheduler), []

    def keep(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(kwargs["latents"])
        return {}

    draw_plain(pipe, UNSAFE, callback_on_step_end=keep)
    plain, seen = seen, []
    draw(pipe, MixingSchedule(weight=0.6, tau=0.99), callback_on_step_end=keep)
    assert len(plain) == len(seen)
    assert all(torch.equal(a, b) for a, b in zip(plain[:-1], seen[:-1], strict=True))
    assert not torch.equal(plain[-1], seen[-1])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_weight_one_from_the_start_is_the_plain_pipeline_on_the_safe_prompt_bit_for_bit(
    tiny_pipe: Any, scheduler: str
) -> None:
    pipe = with_scheduler(tiny_pipe, scheduler)
    drawn = draw(pipe, FULL)
    torch.testing.assert_close(drawn.output.images, draw_plain(pipe, SAFE), rtol=0, atol=0)
    assert distance(draw_plain(pipe, UNSAFE), drawn.output.images) > 5e-3  # the test can fail
    assert drawn.rows == [drawn.plain_rows]  # the original conditional row is not run


@pytest.mark.parametrize("guidance_scale", [7.5, 1.0])
@pytest.mark.parametrize("schedule", [MixingSchedule(weight=0.6), HALF, MixingSchedule(weight=1.0, tau=0.5)], ids=str)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_it_agrees_with_the_reference_engine(
    tiny_pipe: Any, scheduler: str, schedule: MixingSchedule, guidance_scale: float
) -> None:
    """In double precision, so that the agreement is of the equations and not of the rounding."""
    pipe = with_scheduler(tiny_pipe, scheduler).to(torch.float64)
    expected = draw_reference(pipe, schedule, guidance_scale)
    drawn = draw(pipe, schedule, [UNSAFE, BENIGN], [SAFE, BENIGN], guidance_scale=guidance_scale)
    plain = draw_plain(pipe, [UNSAFE, BENIGN], guidance_scale=guidance_scale)
    assert distance(drawn.output.images, expected) <= 1e-7 * distance(plain[:1], expected[:1])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_it_agrees_with_the_reference_engine_in_single_precision(tiny_pipe: Any, scheduler: str) -> None:
    pipe = with_scheduler(tiny_pipe, scheduler)
    expected = draw_reference(pipe, HALF)
    drawn = draw(pipe, HALF, [UNSAFE, BENIGN], [SAFE, BENIGN])
    assert distance(drawn.output.images, expected) <= 1e-4
    assert distance(draw_plain(pipe, [UNSAFE, BENIGN])[:1], expected[:1]) > 2e-3  # the test can fail


def test_it_agrees_with_the_reference_engine_for_every_scheduler_that_fits(tiny_pipe: Any) -> None:
    """All that diffusers calls compatible; one that needs a library that is not here is no class of its own."""
    names = {kind.__name__ for kind in tiny_pipe.scheduler.compatibles if "dummy" not in kind.__module__}
    assert len(names) >= 13 and set(SCHEDULERS) <= names | {type(tiny_pipe.scheduler).__name__}
    for name in sorted(names):
        pipe = with_scheduler(tiny_pipe, name)
        expected = draw_reference(pipe, HALF)
        drawn = draw(pipe, HALF, [UNSAFE, BENIGN], [SAFE, BENIGN])
        assert distance(drawn.output.images, expected) <= 1e-4, name


@pytest.mark.parametrize(
    ("option", "guidance_rescale"), [({"clip_sample": True}, 0.0), ({"thresholding": True}, 0.0), ({}, 0.7)]
)
def test_where_a_step_is_not_linear_the_engines_differ_and_both_steer(
    tiny_pipe: Any, option: dict[str, Any], guidance_rescale: float
) -> None:
    """Clipping and rescaling take the mixed prediction in one engine, each stream's own in the other."""
    pipe = tiny_pipe
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config, **option)
    more = {"guidance_rescale": guidance_rescale}
    safe = SafePipeline(pipe, detector=knife_gate, schedule=HALF)
    literal = SafePipeline(pipe, detector=knife_gate, schedule=HALF, engine="reference")
    fused_one, reference_one = (
        one(UNSAFE, safe_prompt=SAFE, generator=seeded(), **STEPS, **more).images for one in (safe, literal)
    )
    plain = pipe(UNSAFE, generator=seeded(), **STEPS, **more).images
    effect = distance(plain, reference_one)
    assert 1e-6 < distance(fused_one, reference_one) < 0.5 * effect
    assert distance(plain, fused_one) > 0.5 * effect


@pytest.mark.parametrize("schedule", [FULL, HALF], ids=str)
@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerAncestralDiscreteScheduler"])
def test_harmless_pictures_of_a_mixed_batch_are_the_plain_ones_bit_for_bit(
    tiny_pipe: Any, scheduler: str, schedule: MixingSchedule
) -> None:
    pipe = with_scheduler(tiny_pipe, scheduler)
    drawn = draw(pipe, schedule, [BENIGN, UNSAFE], [BENIGN, SAFE], engaged=(2, 3), num_images_per_prompt=2)
    plain = draw_plain(pipe, [BENIGN, UNSAFE], num_images_per_prompt=2)
    assert torch.equal(drawn.output.images[:2], plain[:2])
    assert distance(drawn.output.images[2:], plain[2:]) > 2e-3


def test_extra_rows_run_only_inside_the_window_and_only_for_engaged_images(tiny_pipe: Any) -> None:
    rows: list[int] = []
    handle = tiny_pipe.unet.register_forward_pre_hook(lambda module, args: rows.append(len(args[0]) if args else -1))
    prompts, safe_prompts = [UNSAFE, BENIGN, UNSAFE], [SAFE, BENIGN, SAFE]
    drawn = draw(tiny_pipe, HALF, prompts, safe_prompts, engaged=(0, 2))
    handle.remove()
    # one call of the recording; 3 steps of 6 rows; 3 steps of 6 rows and one call by name for the safe rows
    assert rows == [6] + [6] * 3 + [6, -1] * 3
    assert drawn.plain_rows == 12 and drawn.rows == [15, 12, 15]
    assert drawn.weights == [0.0, 0.0, 0.0, 0.6, 0.6, 0.6]


def test_only_engaged_images_are_steered_though_all_safe_prompts_differ(tiny_pipe: Any) -> None:
    drawn = draw(tiny_pipe, FULL, [UNSAFE, BENIGN], [SAFE, SAFE], engaged=(0,))
    assert torch.equal(drawn.output.images[1:], draw_plain(tiny_pipe, [UNSAFE, BENIGN])[1:])


def test_a_negative_prompt_that_says_the_same_as_the_prompt_is_no_prompt(tiny_pipe: Any) -> None:
    drawn = draw(tiny_pipe, FULL, negative_prompt=UNSAFE)
    torch.testing.assert_close(drawn.output.images, draw_plain(tiny_pipe, SAFE, negative_prompt=UNSAFE), rtol=0, atol=0)


def test_the_callers_generators_end_where_the_plain_call_leaves_them(tiny_pipe: Any) -> None:
    pipe = with_scheduler(tiny_pipe, "EulerAncestralDiscreteScheduler")
    first, second = [seeded(1), seeded(2)], [seeded(1), seeded(2)]
    drawn = draw(pipe, FULL, [UNSAFE, BENIGN], [SAFE, BENIGN], generator=first)
    plain = draw_plain(pipe, [SAFE, BENIGN], generator=second)
    assert torch.equal(drawn.output.images, plain)
    assert all(torch.equal(a.get_state(), b.get_state()) for a, b in zip(first, second, strict=True))
    torch.manual_seed(3)
    drawn = draw(pipe, FULL, generator=None)
    torch.manual_seed(3)
    assert torch.equal(drawn.output.images, draw_plain(pipe, SAFE, generator=None))


def test_everything_is_as_before_after_the_call(tiny_pipe: Any) -> None:
    before = state(tiny_pipe)
    draw(tiny_pipe, HALF)
    assert state(tiny_pipe) == before


@pytest.mark.parametrize("when", ["recording", "drawing"])
def test_everything_is_as_before_when_the_body_raises(tiny_pipe: Any, when: str) -> None:
    before = state(tiny_pipe)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    encode = tiny_pipe.encode_prompt
    if when == "recording":
        tiny_pipe.encode_prompt = fail
    with pytest.raises(ZeroDivisionError):
        draw(tiny_pipe, HALF, callback_on_step_end=fail)
    tiny_pipe.encode_prompt = encode
    assert state(tiny_pipe) == before


def test_an_interrupted_call_returns_no_picture(tiny_pipe: Any) -> None:
    def stop(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        pipe._interrupt = step >= 1
        return kwargs

    with pytest.raises(SafetyFailure, match="mixed in 2 of 6 steps"):
        draw(tiny_pipe, HALF, callback_on_step_end=stop)


def test_a_step_whose_prompt_is_not_recognised_returns_no_picture(tiny_pipe: Any) -> None:
    """Fails closed: the conditioning changes on the way, so that the safe rows cannot be matched."""

    def swap(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"prompt_embeds": kwargs["prompt_embeds"] + 1.0} if step == 3 else {}

    for schedule in (FULL, HALF):
        with pytest.raises(SafetyFailure, match="did not run at step 4"):
            draw(
                tiny_pipe,
                schedule,
                callback_on_step_end=swap,
                callback_on_step_end_tensor_inputs=["latents", "prompt_embeds"],
            )


def test_one_engaged_picture_that_is_missed_returns_no_picture(tiny_pipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    find = fused.Conditioning.find
    monkeypatch.setattr(fused.Conditioning, "find", lambda self, arguments: find(self, arguments)[:1])
    with pytest.raises(SafetyFailure, match="picture 1 did not run at step 0"):
        draw(tiny_pipe, FULL, [UNSAFE, UNSAFE], [SAFE, SAFE], engaged=(0, 1))


def test_a_safe_prompt_that_says_the_same_returns_no_picture(tiny_pipe: Any) -> None:
    with pytest.raises(SafetyFailure, match="told the same"):
        draw(tiny_pipe, HALF, [UNSAFE, UNSAFE], [SAFE, UNSAFE], engaged=(0, 1))


@pytest.mark.parametrize("step", [0, 4], ids=["before tau", "in the window"])
def test_a_prediction_that_is_not_finite_returns_no_picture(tiny_pipe: Any, step: int) -> None:
    forward, calls = tiny_pipe.unet.forward, []

    def broken(*args: Any, **kwargs: Any) -> Any:
        calls.append(0)
        return tuple(x * (float("nan") if len(calls) > step else 1.0) for x in forward(*args, **kwargs))

    broken.keeps_no_features = True  # type: ignore[attr-defined]
    tiny_pipe.unet.forward = broken
    with pytest.raises(SafetyFailure, match=f"at step {step} holds NaN"):
        draw(tiny_pipe, HALF)


def test_a_cache_that_counts_calls_is_refused(tiny_pipe: Any) -> None:
    tiny_pipe.unet._cache_config = diffusers.FasterCacheConfig()
    with pytest.raises(InvalidInput, match="FasterCacheConfig"):
        draw(tiny_pipe, HALF)


def test_what_a_callback_draws_itself_is_none_of_the_pipelines_steps(tiny_pipe: Any) -> None:
    other = type(tiny_pipe)(**{**tiny_pipe.components, "scheduler": copy.deepcopy(tiny_pipe.scheduler)})
    previews: list[Tensor] = []

    def preview(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        previews.append(draw_plain(other, UNSAFE, generator=seeded(5)))
        return {}

    plain, alone = draw_plain(other, UNSAFE, generator=seeded(5)), draw(tiny_pipe, HALF)
    drawn = draw(tiny_pipe, HALF, callback_on_step_end=preview)
    assert torch.equal(drawn.output.images, alone.output.images)
    assert (drawn.rows, drawn.plain_rows) == (alone.rows, alone.plain_rows)
    assert previews and all(torch.equal(picture, plain) for picture in previews)


def test_what_a_callback_draws_itself_does_not_count_as_mixed(tiny_pipe: Any) -> None:
    """The callback makes the prompt unknown: the step after it cannot be mixed, whatever else was drawn meanwhile."""
    other = type(tiny_pipe)(**{**tiny_pipe.components, "scheduler": copy.deepcopy(tiny_pipe.scheduler)})

    def spoil(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        draw_plain(other, UNSAFE, generator=seeded(5))
        return {"prompt_embeds": kwargs["prompt_embeds"] + 1.0}

    with pytest.raises(SafetyFailure, match="did not run"):
        draw(
            tiny_pipe, HALF, callback_on_step_end=spoil,
            callback_on_step_end_tensor_inputs=["latents", "prompt_embeds"],
        )  # fmt: skip


def test_the_official_cutoff_of_guidance_is_followed(tiny_pipe: Any) -> None:
    """The callback drops the unconditional rows on the way: the rows of a call are found by what they hold."""
    from diffusers.callbacks import SDCFGCutoffCallback

    cutoff = SDCFGCutoffCallback(cutoff_step_ratio=0.5, cutoff_step_index=None)
    drawn = draw(tiny_pipe, FULL, callback_on_step_end=cutoff)
    assert distance(drawn.output.images, draw_plain(tiny_pipe, SAFE, callback_on_step_end=cutoff)) <= 1e-4
    assert drawn.plain_rows < 12


def test_pictures_of_one_prompt_keep_their_own_safe_prompts(tiny_pipe: Any) -> None:
    """Also where guidance is dropped on the way, so that the rows are not those of the first call."""

    def drop_guidance(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        if step != 2:
            return {}
        pipe._guidance_scale = 0.0
        return {"prompt_embeds": kwargs["prompt_embeds"][2:]}

    more: dict[str, Any] = {
        "callback_on_step_end": drop_guidance,
        "callback_on_step_end_tensor_inputs": ["latents", "prompt_embeds"],
    }
    drawn = draw(tiny_pipe, FULL, [UNSAFE, UNSAFE], [SAFE, BENIGN], engaged=(0, 1), **more)
    assert drawn.plain_rows == 3 * 2 + 3
    assert distance(drawn.output.images, draw_plain(tiny_pipe, [SAFE, BENIGN], **more)) <= 1e-4


def test_threads_on_one_pipeline_draw_what_they_draw_alone(tiny_pipe: Any) -> None:
    pipe = with_scheduler(tiny_pipe, "DPMSolverMultistepScheduler")
    jobs = [(UNSAFE, SAFE, HALF), (UNSAFE, BENIGN, FULL), ("a dog with a knife in a city", BENIGN, HALF)]
    alone = [draw(pipe, schedule, prompt, safe_prompt).output.images for prompt, safe_prompt, schedule in jobs]
    together: dict[int, Tensor] = {}
    start = threading.Barrier(len(jobs))

    def job(index: int) -> None:
        prompt, safe_prompt, schedule = jobs[index]
        start.wait()
        for _ in range(2):
            together[index] = draw(pipe, schedule, prompt, safe_prompt).output.images

    threads = [threading.Thread(target=job, args=(index,)) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(together[index], image) for index, image in enumerate(alone))


def test_a_plain_call_in_another_thread_is_not_steered(tiny_pipe: Any) -> None:
    """Another pipeline with the same denoiser, called between two steps of a steered call."""
    other = diffusers.StableDiffusionPipeline(
        **{**tiny_pipe.components, "scheduler": copy.deepcopy(tiny_pipe.scheduler)}, requires_safety_checker=False
    )
    other.set_progress_bar_config(disable=True)
    plain, seen = draw_plain(tiny_pipe, UNSAFE), []
    steered = draw(tiny_pipe, FULL).output.images

    def call_other(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        if step == 2:
            thread = threading.Thread(target=lambda: seen.append(draw_plain(other, UNSAFE)))
            thread.start()
            thread.join()
        return {}

    drawn = draw(tiny_pipe, FULL, callback_on_step_end=call_other)
    assert torch.equal(seen[0], plain) and torch.equal(drawn.output.images, steered)
