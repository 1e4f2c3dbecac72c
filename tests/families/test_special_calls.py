"""Calls in which the denoiser is called in other ways than once a step with all rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from torch import Generator, Tensor

from counterpoint.engines import fused
from counterpoint.engines.reuse import default_reuse
from counterpoint.interfaces import InvalidInput
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat on a beach"
FULL = MixingSchedule(weight=1.0)
HALF = MixingSchedule(weight=0.6, tau=0.5)
Build = Callable[[str], Any]


def settings(**more: Any) -> dict[str, Any]:
    return {
        "num_inference_steps": 4, "output_type": "latent", "height": 32, "width": 32,
        "generator": Generator().manual_seed(0), **more,
    }  # fmt: skip


def draw(pipe: Any, schedule: MixingSchedule, **more: Any) -> Any:
    return fused.run(
        pipe,
        {"prompt": UNSAFE, **settings(**more)},
        {"prompt": SAFE},
        schedule,
        num_images=1,
        engaged=(0,),
        reuse=None,
    )


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / (b.max() - b.min()))


def assert_full_weight_is_the_safe_prompt(pipe: Any, **more: Any) -> None:
    plain, original = (pipe(text, **settings(**more))[0] for text in (SAFE, UNSAFE))
    assert distance(draw(pipe, FULL, **more).output[0], plain) <= 1e-3 * distance(original, plain)


def test_one_call_for_each_side_of_the_guidance(build: Build) -> None:
    """FLUX with true guidance calls the denoiser twice a step, with one row each."""
    pipe, more = build("FluxPipeline"), {"negative_prompt": "snow", "true_cfg_scale": 3.0}
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    drawn = draw(pipe, HALF, **more)
    assert (drawn.plain_rows, drawn.rows) == (8, [10])


def test_a_further_call_with_layers_left_out(build: Build) -> None:
    """Skip-layer guidance of SD3 runs the prompt's row once more: that one is mixed as well."""
    pipe = build("StableDiffusion3Pipeline")
    more = {"skip_guidance_layers": [1], "skip_layer_guidance_start": 0.0, "skip_layer_guidance_stop": 1.0}
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    drawn = draw(pipe, HALF, **more)
    assert drawn.rows[0] == drawn.plain_rows + 2 * 2


def test_a_solver_of_second_order(build: Build) -> None:
    pipe = build("StableDiffusion3Pipeline")
    pipe.scheduler = diffusers.FlowMatchHeunDiscreteScheduler()
    assert_full_weight_is_the_safe_prompt(pipe)
    assert len(draw(pipe, HALF).weights) == pipe.num_timesteps == 7


def test_image_to_image_that_skips_the_first_steps(build: Build) -> None:
    """tau is a part of the steps that are taken."""
    from PIL import Image

    pipe = build("StableDiffusionImg2ImgPipeline")
    image = Image.effect_noise((32, 32), 60).convert("RGB")
    call = {"prompt": UNSAFE, "image": image, "strength": 0.5, "num_inference_steps": 8, "output_type": "latent"}
    drawn = fused.run(pipe, call, {"prompt": SAFE}, HALF, num_images=1, engaged=(0,))
    assert drawn.weights == [0.0, 0.0, 0.6, 0.6]


def test_two_denoisers_for_early_and_late_steps(build: Build) -> None:
    """Wan 2.2: each network learns the conditioning in its own first call."""
    pipe = build("WanPipeline")
    second = build("WanPipeline").transformer
    pipe.register_modules(transformer_2=second)
    pipe.register_to_config(boundary_ratio=0.9)
    calls: list[str] = []
    for name in ("transformer", "transformer_2"):
        getattr(pipe, name).register_forward_pre_hook(lambda module, args, name=name: calls.append(name))
    assert_full_weight_is_the_safe_prompt(pipe, num_frames=5)
    assert len(set(calls)) == 2


def test_without_t5_a_prompt_of_sd3_is_as_long_as_clip_reads(build: Build) -> None:
    pipe = build("StableDiffusion3Pipeline")
    pipe.register_modules(text_encoder_3=None, tokenizer_3=None)
    assert_full_weight_is_the_safe_prompt(pipe)
    safe = SafePipeline(pipe, detector=lambda prompts: [])
    assert safe.text.max_tokens == 77
    with pytest.raises(InvalidInput, match="at most 77"):
        safe("cat " * 30)


def test_a_compiled_denoiser(build: Build) -> None:
    pipe = build("StableDiffusionPipeline")
    expected = draw(pipe, HALF).output[0]
    pipe.unet = torch.compile(pipe.unet, backend="eager")
    drawn = draw(pipe, HALF)
    assert distance(drawn.output[0], expected) <= 1e-5
    assert (drawn.plain_rows, drawn.rows) == (8, [10])


@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_a_cache_keeps_the_streams_apart(build: Build, tau: float) -> None:
    """First-block cache that always hits: the safe rows must not be served the prompt's features."""
    pipe, schedule = build("FluxPipeline"), MixingSchedule(weight=1.0, tau=tau)
    without = draw(pipe, schedule).output[0]
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e-9))  # one that never hits
    assert distance(draw(pipe, schedule).output[0], without) <= 1e-6
    pipe.transformer.disable_cache()
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e9))
    drawn = draw(pipe, schedule)
    if tau == 0.0:
        assert torch.equal(drawn.output[0], pipe(SAFE, **settings())[0])
    assert torch.equal(drawn.output[0], draw(pipe, schedule).output[0])
    assert drawn.rows[0] > drawn.plain_rows  # the safe rows have a call of their own


def test_taylor_seer_keeps_the_streams_apart(build: Build) -> None:
    """It extrapolates between the steps that it computes: at full weight, what it extrapolates are the safe rows."""
    pipe = build("FluxPipeline")
    pipe.transformer.enable_cache(diffusers.TaylorSeerCacheConfig(cache_interval=2, disable_cache_before_step=2))
    more = {"num_inference_steps": 8}
    plain, original = (pipe(text, **settings(**more))[0] for text in (SAFE, UNSAFE))
    assert distance(draw(pipe, FULL, **more).output[0], plain) <= 1e-3 * distance(original, plain)


@pytest.mark.parametrize("name", ["FluxPipeline", "ZImagePipeline", "Kandinsky3Pipeline"])
def test_many_steps_at_full_weight_are_the_safe_prompt(build: Build, name: str) -> None:
    """Where the safe rows cannot take the prompt's place, reuse must not stand in: they are all that counts."""
    pipe, more = build(name), {"num_inference_steps": 20}
    if name == "FluxPipeline":
        pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e-9))
        assert_full_weight_is_the_safe_prompt(pipe, **more)
        return
    plain, original = (pipe([BENIGN, text], **settings(**more))[0][1] for text in (SAFE, UNSAFE))
    drawn = fused.run(
        pipe, {"prompt": [BENIGN, UNSAFE], **settings(**more)}, {"prompt": [BENIGN, SAFE]}, FULL,
        num_images=2, engaged=(1,), reuse=None,
    ).output[0][1]  # fmt: skip
    assert distance(drawn, plain) <= 1e-3 * distance(original, plain)


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline"])
def test_a_turbo_model_draws_one_step_without_guidance(build: Build, name: str) -> None:
    pipe, more = build(name), {"num_inference_steps": 1, "guidance_scale": 0.0}
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    drawn = draw(pipe, MixingSchedule(weight=0.6, tau=0.2), **more)
    assert (drawn.plain_rows, drawn.rows, drawn.weights) == (1, [2], [0.6])


def test_reuse_is_for_plain_solvers_without_a_cache(build: Build) -> None:
    pipe = build("FluxPipeline")
    assert (default_reuse(pipe, 19), default_reuse(pipe, 20)) == (1, 2)
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1.0))
    assert default_reuse(pipe, 20) == 1
    pipe.transformer.disable_cache()
    pipe.scheduler = diffusers.FlowMatchHeunDiscreteScheduler()
    assert default_reuse(pipe, 39) == 1


def test_model_offload_keeps_the_safe_stream(build: Build) -> None:
    """accelerate's hooks come and go during a call; the CPU stands in for the accelerator."""
    accelerate = pytest.importorskip("accelerate")
    pipe = build("StableDiffusionPipeline")
    expected = draw(pipe, HALF).output[0]
    hook = None
    pipe._all_hooks = []
    for name in ("text_encoder", "unet", "vae"):
        _, hook = accelerate.cpu_offload_with_hook(getattr(pipe, name), torch.device("cpu"), prev_module_hook=hook)
        pipe._all_hooks.append(hook)
    assert torch.equal(draw(pipe, HALF).output[0], expected)


def test_lists_that_a_pipeline_writes_into_stay_the_callers(build: Build) -> None:
    """Z-Image puts its chat template into the lists it is given, once for each of the two runs of a call."""
    pipe = build("ZImagePipeline")
    prompts, negatives = [SAFE, UNSAFE], ["snow", "snow"]
    call = {**settings(), "num_inference_steps": 2, "guidance_scale": 3.0}
    plain = pipe(list(prompts), negative_prompt=list(negatives), **call)[0]
    call["generator"] = Generator().manual_seed(0)
    drawn = fused.run(
        pipe, {"prompt": prompts, "negative_prompt": negatives, **call}, {"prompt": [SAFE, SAFE]}, HALF,
        num_images=2, engaged=(1,),
    )  # fmt: skip
    assert torch.equal(drawn.output[0][0], plain[0]) and not torch.equal(drawn.output[0][1], plain[1])
    assert (prompts, negatives) == ([SAFE, UNSAFE], ["snow", "snow"])
