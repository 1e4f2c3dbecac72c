"""A denoiser that is not what its class says: refused where it may serve both streams the same, by a clear error."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.utils.peft_utils import apply_lora_scale
from torch import Generator, nn

from counterpoint.engines.patched import check_forwards
from counterpoint.interfaces import Detection, InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
HALF = MixingSchedule(weight=0.6, tau=0.0)


def draw(pipe: Any, prompt: str = UNSAFE, **options: Any) -> Any:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    safe = SafePipeline(pipe, detector=gate, schedule=HALF, **options)
    generator = Generator().manual_seed(0)
    return safe(prompt, safe_prompt=SAFE, num_inference_steps=4, output_type="latent", generator=generator)


def keep_first(module: Any, *, wrapped: bool = False) -> None:
    """Let a part answer each time what it answered first to a batch of this size: the crudest of caches."""
    own, kept = module.forward, {}

    def forward(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        if len(sample) not in kept:
            kept[len(sample)] = own(sample, *args, **kwargs)
        return kept[len(sample)]

    module.forward = types.MethodType(functools.wraps(type(module).forward)(forward) if wrapped else forward, module)


def on_the_denoiser(pipe: Any) -> None:
    keep_first(pipe.unet)


def on_a_block(pipe: Any) -> None:
    keep_first(pipe.unet.mid_block)


def under_the_classes_name(pipe: Any) -> None:
    keep_first(pipe.unet, wrapped=True)


def under_offload(pipe: Any) -> None:
    keep_first(pipe.unet)
    pytest.importorskip("accelerate").cpu_offload(pipe.unet, torch.device("cpu"))


@pytest.mark.parametrize(
    "patch", [on_the_denoiser, on_a_block, under_the_classes_name, under_offload], ids=lambda patch: patch.__name__
)
def test_a_forward_that_was_replaced_is_refused(tiny_pipe: Any, patch: Callable[[Any], None]) -> None:
    patch(tiny_pipe)
    with pytest.raises(InvalidInput, match=r"another forward on .*keeps_no_features"):
        draw(tiny_pipe)
    assert draw(tiny_pipe, BENIGN).safety[0].action == "passed"


@pytest.fixture
def patched_class() -> Iterator[Any]:
    own = diffusers.UNet2DConditionModel.forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return own(self, *args, **kwargs)

    yield forward
    diffusers.UNet2DConditionModel.forward = own


def bare(forward: Any) -> Any:
    return forward


DECORATORS = [bare, functools.wraps(diffusers.UNet2DConditionModel.forward), torch.no_grad(), apply_lora_scale("scale")]


@pytest.mark.parametrize("decorate", DECORATORS)
def test_a_class_that_was_changed_is_refused(tiny_pipe: Any, patched_class: Any, decorate: Any) -> None:
    diffusers.UNet2DConditionModel.forward = decorate(patched_class)
    with pytest.raises(InvalidInput, match="another forward on"):
        draw(tiny_pipe)


def test_an_object_in_the_place_of_a_forward_is_refused(tiny_pipe: Any) -> None:
    class Kept:
        def __init__(self, own: Any) -> None:
            functools.update_wrapper(self, own)
            self.own = own

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.own(*args, **kwargs)

    tiny_pipe.unet.mid_block.forward = Kept(tiny_pipe.unet.mid_block.forward)
    with pytest.raises(InvalidInput, match=r"another forward on UNet2DConditionModel\.mid_block"):
        draw(tiny_pipe)


def test_a_processor_of_ones_own_is_refused_until_vouched_for(tiny_pipe: Any) -> None:
    class Kept(AttnProcessor):  # type: ignore[misc]
        pass

    expected = draw(tiny_pipe).images
    tiny_pipe.unet.set_attn_processor(AttnProcessor())
    assert torch.allclose(draw(tiny_pipe).images, expected, atol=1e-4)
    tiny_pipe.unet.set_attn_processor(Kept())
    with pytest.raises(InvalidInput, match="Kept as the processor of UNet2DConditionModel"):
        draw(tiny_pipe)
    Kept.keeps_no_features = True
    assert torch.allclose(draw(tiny_pipe).images, expected, atol=1e-4)


@pytest.mark.parametrize("around", [torch.no_grad(), torch.autocast("cpu", enabled=False)], ids=["no_grad", "autocast"])
def test_what_torch_puts_around_a_forward_is_looked_through(tiny_pipe: Any, around: Any) -> None:
    expected = draw(tiny_pipe).images
    tiny_pipe.unet.forward = around(tiny_pipe.unet.forward)
    assert torch.equal(draw(tiny_pipe).images, expected)


def test_a_network_that_accelerate_prepared_is_looked_through(tiny_pipe: Any) -> None:
    accelerate = pytest.importorskip("accelerate")
    tiny_pipe.unet = accelerate.Accelerator(mixed_precision="bf16", cpu=True).prepare(tiny_pipe.unet)
    assert draw(tiny_pipe).safety[0].action == "steered"


def test_a_controlnet_with_another_forward_is_refused(tiny_pipe: Any) -> None:
    network = diffusers.ControlNetModel.from_unet(tiny_pipe.unet)
    tiny_pipe.controlnet = network
    check_forwards(tiny_pipe)
    keep_first(network)
    with pytest.raises(InvalidInput, match="another forward on ControlNetModel"):
        check_forwards(tiny_pipe)


def test_who_vouches_for_a_forward_may_keep_it(tiny_pipe: Any) -> None:
    expected, own = draw(tiny_pipe).images, tiny_pipe.unet.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return own(*args, **kwargs)

    forward.keeps_no_features = True  # type: ignore[attr-defined]
    tiny_pipe.unet.forward = forward
    assert torch.equal(draw(tiny_pipe).images, expected)


def test_compiled_parts_and_classes_of_ones_own_are_none(tiny_pipe: Any) -> None:
    class OwnUNet(diffusers.UNet2DConditionModel):  # type: ignore[misc]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return super().forward(*args, **kwargs)

    tiny_pipe.unet.__class__ = OwnUNet
    tiny_pipe.unet.mid_block = torch.compile(tiny_pipe.unet.mid_block, backend="eager")
    tiny_pipe.unet.conv_out.forward = torch.compile(tiny_pipe.unet.conv_out.forward, backend="eager")
    check_forwards(tiny_pipe)


def test_a_denoiser_that_does_not_hear_the_safe_prompt_is_an_error(tiny_pipe: Any) -> None:
    for module in tiny_pipe.unet.modules():
        if type(module).__name__ == "Attention" and module.is_cross_attention:
            module.register_forward_hook(lambda module, args, output: torch.zeros_like(output))
    with pytest.raises(SafetyFailure, match="answered the safe prompt of picture 0 as its prompt"):
        draw(tiny_pipe)


class Wrapper(nn.Module):
    """Somebody's thin module around a denoiser, which plain diffusers runs."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)


@pytest.mark.parametrize("prompt", [UNSAFE, BENIGN])
def test_a_denoiser_in_a_wrapper_is_refused_by_name(tiny_pipe: Any, prompt: str) -> None:
    tiny_pipe.unet = Wrapper(tiny_pipe.unet)
    with pytest.raises(InvalidInput, match=r"forward names its latents.*take it out of its wrapper"):
        draw(tiny_pipe, prompt)


def test_a_wrapper_that_spreads_over_devices_is_looked_into(tiny_pipe: Any) -> None:
    class Spread(Wrapper):
        @property
        def module(self) -> nn.Module:
            return super().__getattr__("inner")

    expected = draw(tiny_pipe).images
    tiny_pipe.unet = Spread(tiny_pipe.unet)
    with pytest.raises(InvalidInput, match="Spread around UNet2DConditionModel"):  # it may keep answers
        draw(tiny_pipe)
    Spread.keeps_no_features = True  # type: ignore[attr-defined]
    assert torch.equal(draw(tiny_pipe).images, expected)
