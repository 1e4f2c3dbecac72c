"""What people do to a pipeline before they call it: offload, compile, slice, cast, adapt, share its parts.

The claim is the same for all: full weight from the start is the plain pipeline on the safe prompt with the
same thing done to it, a mixed picture lies off both, and the rows are what they were. Offload runs with
the CPU in the accelerator's place: what is tested is that hooks come and go without the safe stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from torch import Generator, Tensor

from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
STEPS = {"num_inference_steps": 4, "output_type": "latent"}
FULL, HALF = MixingSchedule(weight=1.0), MixingSchedule(weight=0.6, tau=0.5)
CPU = torch.device("cpu")


@pytest.fixture
def tiny_pipe(tiny_pipe: Any) -> Any:
    """The tiny pipeline, made to listen to its prompt."""
    with torch.no_grad():
        for name, weight in tiny_pipe.unet.named_parameters():
            if "attn2.to_out.0.weight" in name:
                weight.mul_(20)
    return tiny_pipe


def guard(pipe: Any, schedule: MixingSchedule = HALF, **options: Any) -> SafePipeline:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    return SafePipeline(pipe, detector=gate, schedule=schedule, **options)


def draw(pipe: Any, prompt: Any = UNSAFE, **call: Any) -> Any:
    own = {"safe_prompt": SAFE} if isinstance(pipe, SafePipeline) else {}
    return pipe(prompt, **{"generator": Generator().manual_seed(0), **STEPS, **own, **call})


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().max() / (b.float().max() - b.float().min()))


def sequential_offload(pipe: Any) -> None:
    """What `enable_sequential_cpu_offload` does; that one names the device "cpu:0", which accelerate trips over."""
    accelerate = pytest.importorskip("accelerate")
    for part in (pipe.text_encoder, pipe.unet, pipe.vae):
        accelerate.cpu_offload(part, CPU, offload_buffers=len(part._parameters) > 0)


def model_offload(pipe: Any) -> None:
    pytest.importorskip("accelerate")
    pipe.enable_model_cpu_offload(device=CPU)


def leaf_offload(pipe: Any) -> None:
    pipe.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")


def block_offload(pipe: Any) -> None:
    diffusers.hooks.apply_group_offloading(
        pipe.unet, onload_device=CPU, offload_type="block_level", num_blocks_per_group=1
    )


def attention_slicing(pipe: Any) -> None:
    pipe.enable_attention_slicing(1)


def layerwise_casting(pipe: Any) -> None:
    pipe.unet.enable_layerwise_casting(storage_dtype=torch.bfloat16, compute_dtype=torch.float32)


def lora(pipe: Any) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(1)
    pipe.unet.add_adapter(peft.LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False))


def channels_last(pipe: Any) -> None:
    pipe.unet.to(memory_format=torch.channels_last)


def free_u(pipe: Any) -> None:
    pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.5, b2=1.6)


def fused_qkv(pipe: Any) -> None:
    pipe.fuse_qkv_projections()


CHANGES = [
    sequential_offload, model_offload, leaf_offload, block_offload, attention_slicing, layerwise_casting, lora,
    channels_last, free_u, fused_qkv,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_safe_stream_is_there_after(tiny_pipe: Any, change: Callable[[Any], None]) -> None:
    change(tiny_pipe)
    original, expected = draw(tiny_pipe).images, draw(tiny_pipe, SAFE).images
    effect = distance(original, expected)
    assert effect > 1e-3  # the test can fail
    full = draw(guard(tiny_pipe, FULL))
    assert distance(full.images, expected) <= 1e-4 * effect
    mixed = draw(guard(tiny_pipe))
    assert min(distance(mixed.images, expected), distance(mixed.images, original)) > 0.01 * effect
    cost = mixed.safety[0].cost
    assert (cost.plain_rows, cost.denoiser_rows, mixed.safety[0].steps_mixed) == (8, 10, 2)
    assert torch.equal(draw(tiny_pipe).images, original)  # nothing is left behind
    assert torch.equal(draw(guard(tiny_pipe), BENIGN).images, draw(tiny_pipe, BENIGN).images)


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize(
    "change", [sequential_offload, model_offload, leaf_offload], ids=lambda change: change.__name__
)
def test_offload_changes_no_picture(tiny_pipe: Any, change: Callable[[Any], None], engine: Any) -> None:
    expected = draw(guard(tiny_pipe, engine=engine)).images
    change(tiny_pipe)
    for _ in range(2):  # the second call finds what the first one left
        assert torch.equal(draw(guard(tiny_pipe, engine=engine)).images, expected)


@pytest.mark.parametrize("before", [True, False], ids=["before wrapping", "after wrapping"])
@pytest.mark.parametrize(
    "change", [sequential_offload, model_offload, leaf_offload], ids=lambda change: change.__name__
)
def test_the_standard_gate_reads_an_offloaded_encoder(
    tiny_pipe: Any, change: Callable[[Any], None], before: bool
) -> None:
    expected = SafePipeline(tiny_pipe).detector([UNSAFE, BENIGN])
    if before:
        change(tiny_pipe)
    safe = SafePipeline(tiny_pipe)
    if not before:
        change(tiny_pipe)
    found = safe.detector([UNSAFE, BENIGN])
    assert [verdict.is_unsafe for verdict in found] == [verdict.is_unsafe for verdict in expected]
    assert [verdict.score for verdict in found] == pytest.approx([verdict.score for verdict in expected], abs=1e-5)
    assert draw(safe).safety[0].action == "steered"


def test_slices_and_tiles_of_the_autoencoder_change_the_decoding_only(tiny_pipe: Any) -> None:
    prompts = [UNSAFE, BENIGN]
    expected = draw(guard(tiny_pipe), prompts, output_type="pt").images
    tiny_pipe.vae.enable_slicing()
    assert distance(draw(guard(tiny_pipe), prompts, output_type="pt").images, expected) <= 1e-5
    tiny_pipe.vae.enable_tiling()
    assert draw(guard(tiny_pipe), prompts, output_type="pt").images.shape == expected.shape


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(tiny_pipe: Any, dtype: torch.dtype) -> None:
    exact = draw(guard(tiny_pipe)).images
    rounding = distance(draw(tiny_pipe.to(dtype), SAFE).images, draw(tiny_pipe.to(torch.float32), SAFE).images)
    pipe = tiny_pipe.to(dtype)
    assert torch.equal(draw(guard(pipe, FULL)).images, draw(pipe, SAFE).images)
    mixed = draw(guard(pipe)).images
    assert mixed.dtype == dtype and distance(mixed, exact) <= 3 * rounding


def test_pipelines_made_from_the_same_parts(tiny_pipe: Any) -> None:
    """`from_pipe` shares the denoiser: each may be wrapped, and neither sees the other's safe stream."""
    from PIL import Image

    other = diffusers.StableDiffusionImg2ImgPipeline.from_pipe(tiny_pipe, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    assert other.unet is tiny_pipe.unet
    start: dict[str, Any] = {"image": Image.effect_noise((16, 16), 60).convert("RGB"), "strength": 1.0}
    expected = draw(other, SAFE, **start).images
    plain = draw(tiny_pipe).images
    assert distance(draw(guard(other, FULL), **start).images, expected) <= 1e-5
    assert torch.equal(draw(tiny_pipe).images, plain)


def test_a_callback_of_the_users_own_goes_along(tiny_pipe: Any) -> None:
    seen = []

    def halve(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(step)
        return {"latents": kwargs["latents"] * 0.99}

    full = draw(guard(tiny_pipe, FULL), callback_on_step_end=halve).images
    assert seen == [0, 1, 2, 3] and distance(full, draw(tiny_pipe, SAFE, callback_on_step_end=halve).images) <= 1e-5


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("at", [0, 3], ids=["before tau", "in the window"])
def test_an_interrupted_call_returns_no_picture(tiny_pipe: Any, engine: Any, at: int) -> None:
    """A picture that stopped early is one that the safe stream has not finished."""

    def stop(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Tensor]) -> dict[str, Tensor]:
        pipe._interrupt = step == at
        return {}

    with pytest.raises(SafetyFailure, match="of 6 steps"):
        draw(guard(tiny_pipe, engine=engine), callback_on_step_end=stop, num_inference_steps=6)
    assert draw(guard(tiny_pipe, engine=engine)).safety[0].steps_mixed == 2  # the next call is a whole one


@pytest.mark.parametrize(
    "cache", ["FasterCacheConfig", "PyramidAttentionBroadcastConfig", "MagCacheConfig", "TextKVCacheConfig"]
)
def test_caches_that_count_calls_are_refused_before_anything_is_drawn(tiny_pipe: Any, cache: str) -> None:
    tiny_pipe.unet._cache_config = object.__new__(getattr(diffusers, cache))  # only its type is looked at
    with pytest.raises(InvalidInput, match=cache):
        draw(guard(tiny_pipe))
    assert draw(guard(tiny_pipe), BENIGN).safety[0].action == "passed"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["wrapped", "in place"])
def test_a_denoiser_compiled_by_inductor(tiny_pipe: Any, how: str) -> None:
    expected, plain = draw(guard(tiny_pipe)).images, draw(tiny_pipe).images
    if how == "wrapped":
        tiny_pipe.unet = torch.compile(tiny_pipe.unet)
    else:
        tiny_pipe.unet.compile()
    mixed = draw(guard(tiny_pipe))
    assert distance(mixed.images, expected) <= 1e-4 < 1e-2 * distance(plain, expected) * 100
    assert mixed.safety[0].cost.denoiser_rows == 10
