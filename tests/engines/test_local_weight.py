"""The local weight map: a pure function, and both engines with it."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch
from torch import Generator, Tensor

from counterpoint.engines import fused
from counterpoint.engines.local_weight import LocalWeight, weight_map
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.mixing import MixingSchedule, mix
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
STEPS = {"num_inference_steps": 6, "output_type": "latent"}
LOCAL = LocalWeight(threshold=1.2, softness=1.0)
EVERYWHERE = LocalWeight(threshold=0.0)


@pytest.fixture
def tiny_pipe(tiny_pipe: Any) -> Any:
    """The tiny pipeline, made to listen to its prompt."""
    with torch.no_grad():
        for name, weight in tiny_pipe.unet.named_parameters():
            if "attn2.to_out.0.weight" in name:
                weight.mul_(20)
    return tiny_pipe


def guard(pipe: Any, **options: Any) -> SafePipeline:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    return SafePipeline(pipe, detector=gate, schedule=MixingSchedule(weight=0.8, tau=0.3), **options)


def draw(safe: Any, prompt: Any = UNSAFE, **call: Any) -> Any:
    own = {"safe_prompt": SAFE} if isinstance(safe, SafePipeline) else {}
    return safe(prompt, **{"generator": Generator().manual_seed(0), **STEPS, **own, **call})


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / (b.max() - b.min()))


def one_object(shape: tuple[int, ...] = (2, 4, 16, 16)) -> tuple[Tensor, Tensor]:
    """Two predictions that differ in one corner, a little everywhere else."""
    original = torch.randn(shape, generator=Generator().manual_seed(0))
    safe = original + 0.01
    safe[..., :4, :4] += 1.0
    return original, safe


def test_the_map_is_one_at_the_object_and_nothing_elsewhere() -> None:
    original, safe = one_object()
    weights = weight_map(original, safe, LocalWeight())
    assert weights.shape == (2, 1, 16, 16)
    assert weights[..., :4, :4].eq(1.0).all() and weights[..., 6:, 6:].eq(0.0).all()


def test_threshold_zero_is_the_global_weight_bit_for_bit() -> None:
    original, safe = one_object()
    ones = weight_map(original, safe, EVERYWHERE)
    assert ones.eq(1.0).all()
    for weight in (0.3, 0.75, 1.0):
        torch.testing.assert_close(mix(original, safe, weight, ones), mix(original, safe, weight), rtol=0, atol=0)


def test_streams_that_disagree_alike_everywhere_are_mixed_everywhere() -> None:
    original = torch.randn(1, 4, 8, 8)
    assert weight_map(original, original + 0.5, LocalWeight(threshold=0.99)).eq(1.0).all()


def test_the_map_does_not_depend_on_the_scale_and_is_made_for_each_picture_alone() -> None:
    original, safe = one_object()
    small = torch.cat([original[:1], original[1:] + 1e-3 * (safe[1:] - original[1:])])
    mixed = weight_map(original, torch.cat([safe[:1], small[1:]]), LOCAL)
    torch.testing.assert_close(mixed, weight_map(original, safe, LOCAL), rtol=0, atol=2e-3)
    torch.testing.assert_close(mixed[:1], weight_map(original[:1], safe[:1], LOCAL), rtol=0, atol=0)


def test_equal_streams_give_no_nan() -> None:
    original = torch.randn(1, 4, 8, 8)
    assert torch.isfinite(weight_map(original, original, LOCAL)).all()


def test_frames_have_maps_of_their_own_and_packed_latents_take_no_box_filter() -> None:
    original, safe = one_object((1, 4, 3, 16, 16))
    weights = weight_map(original, safe, LocalWeight())
    assert weights.shape == (1, 1, 3, 16, 16) and weights[..., :4, :4].eq(1.0).all()
    packed = torch.randn(2, 64, 4)
    assert weight_map(packed, packed + 1.0, LocalWeight(smooth=1)).shape == (2, 64, 1)
    with pytest.raises(InvalidInput, match="smooth"):
        weight_map(packed, packed + 1.0, LocalWeight())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_type(dtype: torch.dtype) -> None:
    original, safe = (part.to(dtype) for part in one_object())
    weights = weight_map(original, safe, LOCAL)
    assert weights.dtype == mix(original, safe, 0.5, weights).dtype == dtype


@pytest.mark.parametrize(
    ("field", "value"),
    [("threshold", -1.0), ("threshold", float("nan")), ("softness", 0.0), ("smooth", 2), ("smooth", 0)],
)
def test_fields_outside_their_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=field):
        LocalWeight(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_a_map_of_ones_draws_what_the_global_weight_draws(tiny_pipe: Any, engine: Any) -> None:
    everywhere = draw(guard(tiny_pipe, engine=engine, local=EVERYWHERE)).images
    assert torch.equal(everywhere, draw(guard(tiny_pipe, engine=engine)).images)


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"])
def test_the_engines_agree_for_solvers_of_one_step(tiny_pipe: Any, scheduler: str) -> None:
    tiny_pipe.scheduler = getattr(diffusers, scheduler).from_config(tiny_pipe.scheduler.config)
    fused_images, images = (draw(guard(tiny_pipe, engine=e, local=LOCAL)).images for e in ("fused", "reference"))
    assert distance(fused_images, images) <= 1e-4
    assert distance(draw(guard(tiny_pipe)).images, fused_images) > 1e-3  # the map changes the picture


def test_it_keeps_more_of_the_plain_picture_than_the_global_weight(tiny_pipe: Any) -> None:
    plain = draw(tiny_pipe).images
    whole, local = (draw(guard(tiny_pipe, local=where)).images for where in (None, LOCAL))
    assert float((local - plain).abs().mean()) < float((whole - plain).abs().mean())


def test_harmless_pictures_of_a_list_stay_the_plain_ones_and_full_weight_runs_both_rows(tiny_pipe: Any) -> None:
    prompts = [BENIGN, UNSAFE]
    out = draw(guard(tiny_pipe, local=LOCAL), prompts)
    assert torch.equal(out.images[0], draw(tiny_pipe, prompts).images[0])
    drawn = fused.run(
        tiny_pipe, {"prompt": UNSAFE, **STEPS}, {"prompt": SAFE}, MixingSchedule(weight=1.0),
        num_images=1, engaged=(0,), local=LOCAL,
    )  # fmt: skip
    assert drawn.rows == [drawn.plain_rows + 6]  # away from the object the prompt's prediction is needed


def test_parallel_streams_and_other_types_are_refused(tiny_pipe: Any) -> None:
    for options in ({"local": LOCAL, "coupling": "parallel"}, {"local": True}):
        with pytest.raises(InvalidInput, match="local"):
            guard(tiny_pipe, **options)


def test_no_threshold_leaves_the_safe_stream_out() -> None:
    original, safe = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).chunk(2)
    where = weight_map(original, safe, LocalWeight(threshold=1e6))
    assert float(where.max()) == 1.0 and float(where.min()) < 1.0
