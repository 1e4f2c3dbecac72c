"""The reference engine against the plain pipeline and against a loop written out by hand."""

from __future__ import annotations

import math
from typing import Any

import diffusers
import pytest
import torch
from torch import Generator, Tensor

from counterpoint.engines import reference
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
SCHEDULERS = [
    "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "PNDMScheduler",
    "UniPCMultistepScheduler", "EulerAncestralDiscreteScheduler", "DDPMScheduler",
]  # fmt: skip
STEPS = {"num_inference_steps": 6, "output_type": "latent"}


class KnifeGate:
    """Engages on the word "knife"."""

    def __call__(self, prompts: Any) -> list[Detection]:
        return [
            Detection(is_unsafe="knife" in p, score=float("knife" in p), evidence=("knife",) if "knife" in p else ())
            for p in prompts
        ]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def with_scheduler(pipe: Any, name: str) -> Any:
    pipe.scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    return pipe


def guard(pipe: Any, **options: Any) -> SafePipeline:
    return SafePipeline(pipe, detector=KnifeGate(), **{"engine": "reference", **options})


def assert_close_by_range(actual: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    scale = float(expected.max() - expected.min())
    assert float((actual - expected).abs().max()) <= tolerance * scale


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_weight_zero_is_the_plain_pipeline_bit_for_bit(tiny_pipe: Any, scheduler: str) -> None:
    pipe = with_scheduler(tiny_pipe, scheduler)
    plain = pipe(UNSAFE, generator=seeded(), **STEPS).images
    safe = guard(pipe)(UNSAFE, safety=0, generator=seeded(), **STEPS).images
    torch.testing.assert_close(safe, plain, rtol=0, atol=0)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_prompt_that_does_not_engage_is_the_plain_pipeline_bit_for_bit(tiny_pipe: Any, scheduler: str) -> None:
    pipe = with_scheduler(tiny_pipe, scheduler)
    plain = pipe([BENIGN, SAFE], num_images_per_prompt=2, generator=seeded(), **STEPS).images
    out = guard(pipe)([BENIGN, SAFE], safety=1, num_images_per_prompt=2, generator=seeded(), **STEPS)
    torch.testing.assert_close(out.images, plain, rtol=0, atol=0)
    assert [report.action for report in out.safety] == ["passed"] * 4


@pytest.mark.parametrize("coupling", ["joined", "parallel"])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_weight_one_from_the_start_is_the_plain_pipeline_on_the_safe_prompt(
    tiny_pipe: Any, scheduler: str, coupling: Any
) -> None:
    pipe = with_scheduler(tiny_pipe, scheduler)
    plain = pipe(SAFE, generator=seeded(), **STEPS).images
    original = pipe(UNSAFE, generator=seeded(), **STEPS).images
    out = guard(pipe, coupling=coupling)(UNSAFE, safety=1, generator=seeded(), **STEPS)
    assert_close_by_range(out.images, plain)
    assert float((original - plain).abs().max()) > 0.01 * float(plain.max() - plain.min())  # the test can fail


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_joined_streams_equal_mixing_the_predictions(tiny_pipe: Any, scheduler: str, tau: float) -> None:
    """An oracle that shares no code: one stream whose denoiser returns the mixed prediction."""
    pipe = with_scheduler(tiny_pipe, scheduler)
    weight = 0.6
    out = guard(pipe, schedule=MixingSchedule(weight=weight, tau=tau))(UNSAFE, generator=seeded(), **STEPS).images

    safe_embeds = pipe.encode_prompt(SAFE, "cpu", 1, False)[0]
    forward, calls = pipe.unet.forward, []

    def mixed_forward(sample: Tensor, timestep: Any, encoder_hidden_states: Tensor, **kwargs: Any) -> Any:
        step, num_steps = len(calls), pipe.num_timesteps
        calls.append(step)
        plain = forward(sample, timestep, encoder_hidden_states, **kwargs)
        if step / num_steps < tau:
            return plain
        swapped = torch.cat([encoder_hidden_states[:1], safe_embeds])
        safe = forward(sample, timestep, swapped, **kwargs)
        return tuple((1 - weight) * a + weight * b for a, b in zip(plain, safe, strict=True))

    pipe.unet.forward = mixed_forward
    oracle = pipe(UNSAFE, generator=seeded(), **STEPS).images
    assert_close_by_range(out, oracle)


def test_parallel_streams_equal_two_loops_written_out(tiny_pipe: Any) -> None:
    weight, pipe = 0.6, tiny_pipe
    options = {"coupling": "parallel", "schedule": MixingSchedule(weight=weight, tau=0.5)}
    out = guard(pipe, **options)(UNSAFE, generator=seeded(), guidance_scale=1.0, **STEPS).images

    c, s = (pipe.encode_prompt(text, "cpu", 1, False)[0] for text in (UNSAFE, SAFE))
    z = torch.randn(1, 4, 8, 8, generator=seeded())
    safe = z
    pipe.scheduler.set_timesteps(6)
    with torch.no_grad():
        for i, t in enumerate(pipe.scheduler.timesteps):
            z_next = pipe.scheduler.step(pipe.unet(z, t, c).sample, t, z).prev_sample
            if i / 6 < 0.5:
                safe = z_next
            else:
                own = pipe.scheduler.step(pipe.unet(safe, t, s).sample, t, safe).prev_sample
                safe = (1 - weight) * z_next + weight * own
            z = z_next
    assert_close_by_range(out, safe)


@pytest.mark.parametrize("schedule", [None, MixingSchedule(weight=1.0, tau=1e-10), MixingSchedule(weight=1.0, tau=0.9)])
@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerDiscreteScheduler", "LCMScheduler"])
def test_a_call_of_one_step_is_steered_to_the_safe_prompt(tiny_pipe: Any, scheduler: str, schedule: Any) -> None:
    pipe, one = with_scheduler(tiny_pipe, scheduler), {"num_inference_steps": 1, "output_type": "latent"}
    plain = pipe(SAFE, generator=seeded(), **one).images
    assert_close_by_range(
        guard(pipe, schedule=schedule)(UNSAFE, safety="high", generator=seeded(), **one).images, plain
    )
    assert float((pipe(UNSAFE, generator=seeded(), **one).images - plain).abs().max()) > 1e-3


def test_a_pipeline_that_runs_other_steps_than_planned_returns_no_picture(
    tiny_pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "planned_steps", lambda pipe, call: 1)
    with pytest.raises(SafetyFailure, match="planned"):
        guard(tiny_pipe)(UNSAFE, num_inference_steps=5)


@pytest.mark.parametrize("scheduler", ["PNDMScheduler", "HeunDiscreteScheduler"])
def test_a_scheduler_that_takes_more_steps_than_asked_for_is_followed(tiny_pipe: Any, scheduler: str) -> None:
    """With 4 steps asked for and tau 0.2 the first of PNDM's 5 is before tau; of 4 it would not be."""
    tiny_pipe.scheduler = getattr(diffusers, scheduler).from_config(tiny_pipe.scheduler.config, skip_prk_steps=True)
    safe = guard(tiny_pipe, schedule=MixingSchedule(weight=0.75, tau=0.2))
    report = safe(UNSAFE, num_inference_steps=4, generator=seeded(), output_type="latent").safety[0]
    taken = len(tiny_pipe.scheduler.timesteps)
    assert taken > 4 and report.steps_mixed == taken - math.ceil(0.2 * taken)


@pytest.mark.parametrize("generator", ["one", "list", "global"])
def test_the_streams_share_every_draw_of_a_stochastic_sampler(tiny_pipe: Any, generator: str) -> None:
    pipe = with_scheduler(tiny_pipe, "EulerAncestralDiscreteScheduler")

    def source() -> Any:
        torch.manual_seed(5)
        return {"one": seeded(3), "list": [seeded(3), seeded(4)], "global": None}[generator]

    plain = pipe([SAFE, BENIGN], generator=source(), **STEPS).images
    first = source()
    out = guard(pipe)([UNSAFE, BENIGN], safety=1, generator=first, **STEPS)
    assert_close_by_range(out.images, plain)
    assert [report.action for report in out.safety] == ["steered", "passed"]
    if generator == "one":  # the caller's generator ends where the plain call leaves it
        second = seeded(3)
        pipe([SAFE, BENIGN], generator=second, **STEPS)
        assert torch.equal(first.get_state(), second.get_state())


def test_negative_prompts_and_several_images_follow_the_plain_call(tiny_pipe: Any) -> None:
    arguments = {**STEPS, "negative_prompt": ["snow", "a dog"], "num_images_per_prompt": 2, "guidance_scale": 3.0}
    plain = tiny_pipe([SAFE, BENIGN], generator=seeded(), **arguments).images
    out = guard(tiny_pipe)([UNSAFE, BENIGN], safety=1, generator=seeded(), **arguments)
    assert_close_by_range(out.images, plain)


def test_a_negative_prompt_may_be_one_text(tiny_pipe: Any) -> None:
    arguments = {**STEPS, "negative_prompt": "snow"}
    plain = tiny_pipe(SAFE, generator=seeded(), **arguments).images
    assert_close_by_range(guard(tiny_pipe)(UNSAFE, safety=1, generator=seeded(), **arguments).images, plain)


def test_initial_latents_are_the_callers(tiny_pipe: Any) -> None:
    latents = torch.randn(1, 4, 8, 8, generator=seeded(9))
    plain = tiny_pipe(SAFE, latents=latents, **STEPS).images
    assert_close_by_range(guard(tiny_pipe)(UNSAFE, safety=1, latents=latents, **STEPS).images, plain)


def test_the_users_callback_sees_one_row_a_picture_and_may_change_it(tiny_pipe: Any) -> None:
    shapes = []

    def double(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        shapes.append(kwargs["latents"].shape)
        return {"latents": kwargs["latents"] * 1.01}

    arguments = {**STEPS, "callback_on_step_end": double}
    plain = tiny_pipe([SAFE, BENIGN], generator=seeded(), **arguments).images
    out = guard(tiny_pipe)([UNSAFE, BENIGN], safety=1, generator=seeded(), **arguments).images
    assert set(shapes) == {(2, 4, 8, 8)}
    assert_close_by_range(out, plain)


def test_what_the_users_callback_edits_in_place_counts(tiny_pipe: Any) -> None:
    def halve(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        kwargs["latents"].mul_(0.5)
        return kwargs

    arguments = {**STEPS, "callback_on_step_end": halve}
    plain = tiny_pipe(SAFE, generator=seeded(), **arguments).images
    assert_close_by_range(guard(tiny_pipe)(UNSAFE, safety=1, generator=seeded(), **arguments).images, plain)


def test_latents_of_another_shape_from_the_callback_are_refused(tiny_pipe: Any) -> None:
    def double(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"latents": kwargs["latents"].repeat(2, 1, 1, 1)}

    with pytest.raises(InvalidInput, match="callback_on_step_end"):
        guard(tiny_pipe)(UNSAFE, callback_on_step_end=double, **STEPS)


def test_a_callback_that_swaps_the_embeddings_is_refused(tiny_pipe: Any) -> None:
    def swap(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"prompt_embeds": torch.zeros_like(kwargs["prompt_embeds"])}

    with pytest.raises(InvalidInput, match="callback_on_step_end"):
        guard(tiny_pipe)(
            UNSAFE, callback_on_step_end=swap, callback_on_step_end_tensor_inputs=["latents", "prompt_embeds"], **STEPS
        )


def test_official_callbacks_that_change_the_embeddings_are_refused(tiny_pipe: Any) -> None:
    from diffusers.callbacks import SDCFGCutoffCallback

    cutoff = SDCFGCutoffCallback(cutoff_step_ratio=0.5)
    with pytest.raises(InvalidInput, match="latents only"):
        guard(tiny_pipe)(UNSAFE, callback_on_step_end=cutoff, **STEPS)


def test_like_shaped_noise_is_shared_too() -> None:
    from counterpoint.engines.shared_noise import SharedNoise

    with SharedNoise([0, 1, 1], 2):
        noise = torch.randn_like(torch.zeros(3, 4))
        other = torch.randn(2, 4)
    assert torch.equal(noise[1], noise[2]) and not torch.equal(noise[0], noise[1])
    assert not torch.equal(other[0], other[1])


def test_an_interrupted_call_returns_no_picture(tiny_pipe: Any) -> None:
    def stop(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        pipe._interrupt = True
        return kwargs

    with pytest.raises(SafetyFailure, match="mixed after"):
        guard(tiny_pipe)(UNSAFE, callback_on_step_end=stop, **STEPS)


def test_nan_in_the_safe_stream_returns_no_picture(tiny_pipe: Any) -> None:
    forward = tiny_pipe.unet.forward

    def broken(*args: Any, **kwargs: Any) -> Any:
        return tuple(x * float("nan") for x in forward(*args, **kwargs))

    tiny_pipe.unet.forward = broken
    with pytest.raises(SafetyFailure, match="NaN"):
        guard(tiny_pipe)(UNSAFE, **STEPS)
