"""Calls in which the denoiser is called in other ways than once a step with all rows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from claims import also
from diffusers.hooks import apply_first_block_cache, apply_pyramid_attention_broadcast
from oracle import denoiser, distance, oracle
from torch import Generator

from counterpoint.engines import fused, planning
from counterpoint.engines.denoiser import denoisers, uncompiled
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.engines.reuse import default_reuse
from counterpoint.interfaces import Detection, InvalidInput
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


def assert_full_weight_is_the_safe_prompt(pipe: Any, **more: Any) -> None:
    plain, original = (pipe(text, **settings(**more))[0] for text in (SAFE, UNSAFE))
    assert distance(draw(pipe, FULL, **more).output[0], plain) <= 1e-3 * distance(original, plain)


def assert_half_is_the_oracles(pipe: Any, **more: Any) -> None:
    expected = oracle(pipe, lambda text: pipe(text, **settings(**more))[0], UNSAFE, SAFE, HALF, num_steps=4)
    plain = pipe(UNSAFE, **settings(**more))[0]
    assert distance(draw(pipe, HALF, **more).output[0], expected) <= 5e-3 * distance(plain, expected)


@also("true guidance with a negative prompt", "FluxPipeline")
def test_one_call_for_each_side_of_the_guidance(build: Build, name: str) -> None:
    """FLUX with true guidance calls the denoiser twice a step, with one row each."""
    pipe, more = build(name), {"negative_prompt": "snow", "true_cfg_scale": 3.0}
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    assert_half_is_the_oracles(pipe, **more)
    drawn = draw(pipe, HALF, **more)
    assert (drawn.plain_rows, drawn.rows) == (8, [10])


@also("skip-layer guidance", "StableDiffusion3Pipeline")
def test_a_further_call_with_layers_left_out(build: Build, name: str) -> None:
    """Skip-layer guidance of SD3 runs the prompt's row once more: that one is mixed as well."""
    pipe = build(name)
    # it starts behind the step it is told: -1 is the first one, too, so that all steps have as many calls
    more = {"skip_guidance_layers": [1], "skip_layer_guidance_start": -1.0, "skip_layer_guidance_stop": 1.0}
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    assert_half_is_the_oracles(pipe, **more)
    drawn = draw(pipe, HALF, **more)
    assert drawn.rows[0] == drawn.plain_rows + 2 * 2


@also("a solver of second order", "StableDiffusion3Pipeline")
def test_a_solver_of_second_order(build: Build, name: str) -> None:
    pipe = build(name)
    pipe.scheduler = diffusers.FlowMatchHeunDiscreteScheduler()
    assert_full_weight_is_the_safe_prompt(pipe)
    assert len(draw(pipe, HALF).weights) == pipe.num_timesteps == 7


@also("two denoisers (Wan 2.2)", "WanPipeline")
def test_two_denoisers_for_early_and_late_steps(build: Build, name: str) -> None:
    """Wan 2.2: each network learns the conditioning in its own first call."""
    pipe = build(name)
    second = build(name).transformer
    pipe.register_modules(transformer_2=second)
    pipe.register_to_config(boundary_ratio=0.9)
    calls: list[str] = []
    for name in ("transformer", "transformer_2"):
        getattr(pipe, name).register_forward_pre_hook(lambda module, args, name=name: calls.append(name))
    assert_full_weight_is_the_safe_prompt(pipe, num_frames=5)
    assert len(set(calls)) == 2


SCALES = {
    "WanPipeline": ("guidance_scale", "guidance_scale_2"), "FluxPipeline": ("guidance_scale", "true_cfg_scale"),
    "StableDiffusionPAGPipeline": ("guidance_scale", "pag_scale", "pag_adaptive_scale", "guidance_rescale"),
    "StableDiffusion3Pipeline": ("guidance_scale", "skip_layer_guidance_scale"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "scale"), [(name, scale) for name, scales in SCALES.items() for scale in scales])
@pytest.mark.parametrize("value", [-5.0, float("nan"), float("inf"), "7", True])
def test_guidance_cannot_be_turned_round(build: Build, name: str, scale: str, value: Any) -> None:
    """What guidance pushes from would be drawn, and the gate has read it as what is not wanted."""
    safe = SafePipeline(build(name), detector=lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    with pytest.raises(InvalidInput, match=f"{scale}: "):
        safe(BENIGN, negative_prompt=UNSAFE, **settings(**{scale: value}))


def test_a_second_denoiser_cannot_draw_the_negative_prompt(build: Build) -> None:
    safe = SafePipeline(build("WanPipeline"), detector=lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    with pytest.raises(InvalidInput, match=r"guidance_scale_2: got 0\.5; allowed: a finite number from 1"):
        safe(BENIGN, negative_prompt=UNSAFE, **settings(guidance_scale=5.0, guidance_scale_2=0.5))


def test_a_schedule_of_guidance_cannot_be_turned_round(build: Build) -> None:
    safe = SafePipeline(build("Ideogram4Pipeline"), detector=lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    with pytest.raises(InvalidInput, match="guidance_schedule: "):
        safe(BENIGN, **settings(guidance_scale=None, guidance_schedule=(7.0, 7.0, -5.0, 7.0)))
    assert safe(BENIGN, **settings(guidance_scale=7.0, guidance_schedule=None)).safety[0].action == "passed"


@pytest.mark.parametrize("name", ["QwenImagePipeline", "Flux2Pipeline", "FluxPipeline"])
def test_the_gate_reads_each_text_once(build: Build, name: str) -> None:
    pipe = build(name)
    safe = SafePipeline(pipe, detector=lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    safe.text.pooled(["a cat"])
    calls: list[int] = []
    handle = safe.text.encoder.register_forward_pre_hook(lambda module, args: calls.append(1))
    safe.text.pooled(["a dog", "a cat"])
    handle.remove()
    assert calls == [1]


@also("no T5", "StableDiffusion3Pipeline")
def test_without_t5_a_prompt_of_sd3_is_as_long_as_clip_reads(build: Build, name: str) -> None:
    pipe = build(name)
    pipe.register_modules(text_encoder_3=None, tokenizer_3=None)
    assert_full_weight_is_the_safe_prompt(pipe)
    safe = SafePipeline(pipe, detector=lambda prompts: [])
    assert safe.text.max_tokens == 77
    with pytest.raises(InvalidInput, match="at most 77"):
        safe("cat " * 30)


@also("torch.compile", "StableDiffusionPipeline")
def test_a_compiled_denoiser(build: Build, name: str) -> None:
    pipe = build(name)
    expected = draw(pipe, HALF).output[0]
    pipe.unet = torch.compile(pipe.unet, backend="eager")
    drawn = draw(pipe, HALF)
    assert distance(drawn.output[0], expected) <= 1e-5
    assert (drawn.plain_rows, drawn.rows) == (8, [10])


@also("first-block cache", "FluxPipeline")
@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_a_cache_keeps_the_streams_apart(build: Build, name: str, tau: float) -> None:
    """First-block cache that always hits: the safe rows must not be served the prompt's features."""
    pipe, schedule = build(name), MixingSchedule(weight=1.0, tau=tau)
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


def test_after_a_call_that_failed_a_cache_holds_none_of_it(build: Build) -> None:
    """Plain diffusers leaves the features of a call that raises in the cache, and serves them to the next picture."""
    pipe = build("FluxPipeline")
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1e9))
    expected = pipe(BENIGN, **settings())[0]

    def fail(pipe: Any, step: int, timestep: Any, kwargs: Any) -> Any:
        if step == 2:
            raise ZeroDivisionError
        return {}

    with pytest.raises(ZeroDivisionError):
        draw(pipe, HALF, callback_on_step_end=fail)
    assert torch.equal(pipe(BENIGN, **settings())[0], expected)


@pytest.mark.parametrize("name", ["StableDiffusionPAGPipeline", "SanaPAGPipeline"])
def test_pag_leaves_the_attention_of_the_denoiser_as_it_was(build: Build, name: str) -> None:
    """PAG swaps the processors for the time of a call; the first denoiser call, where recording ends, comes after."""
    pipe = build(name)
    size: dict[str, Any] = {"use_resolution_binning": False} if name.startswith("Sana") else {}
    before, plain = dict(uncompiled(denoisers(pipe)[0]).attn_processors), pipe(BENIGN, **settings(**size))[0]
    draw(pipe, HALF, **size)
    assert dict(denoisers(pipe)[0].attn_processors) == before
    assert torch.equal(pipe(BENIGN, **settings(**size))[0], plain)
    pipe(BENIGN, **settings(**size, pag_scale=0.0))  # raises with PAG's processors


def test_a_local_map_where_channels_come_last_is_refused_when_wrapped(build: Build) -> None:
    with pytest.raises(InvalidInput, match="channels last"):
        SafePipeline(build("Kandinsky5T2IPipeline"), local=LocalWeight(smooth=1))


@pytest.mark.parametrize(
    "name", ["FluxPipeline", "ChromaPipeline", "QwenImagePipeline", "LTXPipeline", "Ideogram4Pipeline"]
)
def test_a_local_map_on_packed_latents_is_refused_when_wrapped(build: Build, name: str) -> None:
    """They have no grid to smooth on: that shows before the first unsafe prompt, not in the middle of its picture."""
    pipe = build(name)
    with pytest.raises(InvalidInput, match="smooth=1"):
        SafePipeline(pipe, local=LocalWeight())
    if name == "FluxPipeline":
        plain = pipe(UNSAFE, **settings())[0]
        call, safe = {"prompt": UNSAFE, **settings()}, {"prompt": SAFE}
        drawn = fused.run(pipe, call, safe, HALF, num_images=1, engaged=(0,), local=LocalWeight(smooth=1))
        assert not torch.equal(drawn.output[0], plain)


def test_guidance_may_be_none_where_that_is_the_pipelines_default(build: Build) -> None:
    safe = SafePipeline(build("QwenImagePipeline"), detector=lambda prompts: [Detection(is_unsafe=False, score=0.0)])
    assert safe(BENIGN, **settings(guidance_scale=None)).safety[0].action == "passed"


def test_large_latents_do_not_share_a_call(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest call of a model that just fits in memory stays what it was."""
    pipe, rows = build("StableDiffusionPipeline"), []
    pipe.unet.conv_in.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    draw(pipe, HALF)
    assert max(rows) == 3
    rows.clear()
    monkeypatch.setattr(planning, "JOINED_SIZE", 2 * 4 * 16 * 16)
    draw(pipe, HALF)
    assert max(rows) == 2


@pytest.mark.parametrize("kind", ["FirstBlockCache", "PyramidAttentionBroadcast"])
def test_a_cache_that_was_put_there_by_hand_is_refused(build: Build, kind: str) -> None:
    """It keeps one state for all rows, or counts calls; only `enable_cache` says of which kind it is."""
    pipe = build("FluxPipeline")
    if kind == "FirstBlockCache":
        apply_first_block_cache(pipe.transformer, diffusers.FirstBlockCacheConfig(threshold=1e9))
    else:
        config = diffusers.PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2, spatial_attention_timestep_skip_range=(-1, 1001),
            current_timestep_callback=lambda: 500,
        )  # fmt: skip
        apply_pyramid_attention_broadcast(pipe.transformer, config)
    with pytest.raises(InvalidInput, match="enable_cache"):
        draw(pipe, FULL)


@pytest.mark.parametrize("name", ["FluxPipeline", "QwenImagePipeline", "CogView4Pipeline"])
def test_a_negative_prompt_that_cannot_be_told_from_the_prompt_is_refused(build: Build, name: str) -> None:
    """These call the denoiser once for each: at full weight both would become the safe prompt, and guidance nothing."""
    more = {"true_cfg_scale": 3.0} if name == "FluxPipeline" else {}
    with pytest.raises(InvalidInput, match="negative_prompt"):
        draw(build(name), FULL, negative_prompt=UNSAFE, **more)


@also("TaylorSeer cache", "FluxPipeline")
def test_taylor_seer_keeps_the_streams_apart(build: Build, name: str) -> None:
    """It extrapolates between the steps that it computes: at full weight, what it extrapolates are the safe rows."""
    pipe = build(name)
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


@also(
    "one step without guidance (Turbo)",
    "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline",
)  # fmt: skip
def test_a_turbo_model_draws_one_step_without_guidance(build: Build, name: str) -> None:
    pipe, more = build(name), {"num_inference_steps": 1, "guidance_scale": 0.0}
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    drawn = draw(pipe, MixingSchedule(weight=0.6, tau=0.2), **more)
    assert (drawn.plain_rows, drawn.rows, drawn.weights) == (1, [2], [0.6])


@also(
    "four steps of LCM without guidance",
    "StableDiffusionPipeline", "StableDiffusionXLPipeline",
)  # fmt: skip
def test_the_noise_of_few_step_samplers_is_shared(build: Build, name: str) -> None:
    """With an LCM-LoRA: after each step the sampler adds noise of its own, the same as in the plain call."""
    pipe, more = build(name), {"guidance_scale": 1.0}
    pipe.scheduler = diffusers.LCMScheduler.from_config(pipe.scheduler.config)
    assert_full_weight_is_the_safe_prompt(pipe, **more)
    assert_half_is_the_oracles(pipe, **more)


@also("v-prediction (SD 2.x)", "StableDiffusionPipeline")
def test_a_model_that_predicts_the_velocity(build: Build, name: str) -> None:
    pipe = build(name)
    epsilon = pipe(SAFE, **settings())[0]
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config, prediction_type="v_prediction")
    assert distance(pipe(SAFE, **settings())[0], epsilon) > 0.1
    assert_full_weight_is_the_safe_prompt(pipe)
    assert_half_is_the_oracles(pipe)


@also(
    "a LoRA",
    "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline", "FluxPipeline",
)  # fmt: skip
def test_a_lora_is_loaded_from_its_file(build: Build, name: str, tmp_path: Path) -> None:
    """Both streams have it: what full weight draws is the plain call with it."""
    peft = pytest.importorskip("peft")
    source, pipe = build(name), build(name)
    without = pipe(SAFE, **settings())[0]
    torch.manual_seed(1)
    network = denoiser(source)
    network.add_adapter(peft.LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False))
    layers = peft.get_peft_model_state_dict(network)
    part = "unet_lora_layers" if hasattr(source, "unet") else "transformer_lora_layers"
    source.save_lora_weights(tmp_path, **{part: layers})
    pipe.load_lora_weights(tmp_path)
    assert distance(pipe(SAFE, **settings())[0], without) > 1e-3
    assert_full_weight_is_the_safe_prompt(pipe)
    assert_half_is_the_oracles(pipe)


def test_reuse_is_for_plain_solvers_without_a_cache(build: Build) -> None:
    pipe = build("FluxPipeline")
    assert (default_reuse(pipe, 19), default_reuse(pipe, 20)) == (1, 2)
    pipe.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=1.0))
    assert default_reuse(pipe, 20) == 1
    pipe.transformer.disable_cache()
    pipe.scheduler = diffusers.FlowMatchHeunDiscreteScheduler()
    assert default_reuse(pipe, 39) == 1


@also("model offload", "StableDiffusionPipeline")
def test_model_offload_keeps_the_safe_stream(build: Build, name: str) -> None:
    """accelerate's hooks come and go during a call; the CPU stands in for the accelerator."""
    accelerate = pytest.importorskip("accelerate")
    pipe = build(name)
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


@pytest.mark.parametrize("name", ["PixArtAlphaPipeline"])
def test_what_a_callback_of_the_older_kind_draws_is_none_of_the_steps(build: Build, name: str) -> None:
    pipe, small = build(name), {"use_resolution_binning": False}
    other = type(pipe)(**{**pipe.components, "scheduler": copy.deepcopy(pipe.scheduler)})
    other.set_progress_bar_config(disable=True)
    seen: list[int] = []

    def preview(step: int, timestep: Any, latents: Any) -> None:
        seen.append(step)
        other(UNSAFE, **settings(**small))

    alone, drawn = draw(pipe, HALF, **small), draw(pipe, HALF, callback=preview, callback_steps=1, **small)
    assert seen == [0, 1, 2, 3] and torch.equal(drawn.output[0], alone.output[0])
    assert (drawn.rows, drawn.plain_rows) == (alone.rows, alone.plain_rows)
