"""A ControlNet and an IP-Adapter beside the prompt: the first hears it and is mixed with, the second does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from claims import also
from control_networks import control_net
from oracle import oracle
from PIL import Image
from torch import Generator, Tensor

from counterpoint.engines import fused
from counterpoint.engines.companion import Companion
from counterpoint.interfaces import SafetyFailure
from counterpoint.mixing import MixingSchedule

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat with a book on a beach"
FULL, HALF = MixingSchedule(weight=1.0), MixingSchedule(weight=0.6, tau=0.5)
CONTROL = Image.linear_gradient("L").resize((32, 32)).convert("RGB")
Build = Callable[[str], Any]


def settings(**more: Any) -> dict[str, Any]:
    return {
        "num_inference_steps": 4, "output_type": "latent", "generator": Generator().manual_seed(0), **more,
    }  # fmt: skip


def draw(pipe: Any, schedule: MixingSchedule, prompts: Any = UNSAFE, **more: Any) -> Any:
    listed = [prompts] if isinstance(prompts, str) else prompts
    safe = [SAFE if prompt == UNSAFE else prompt for prompt in listed]
    reuse = more.pop("reuse", 1)
    return fused.run(
        pipe, {"prompt": prompts, **settings(**more)}, {"prompt": safe[0] if isinstance(prompts, str) else safe},
        schedule, num_images=len(listed), reuse=reuse,
        engaged=[i for i, prompt in enumerate(listed) if prompt == UNSAFE],
    )  # fmt: skip


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / (b.max() - b.min()))


@pytest.fixture
def controlled(build: Build) -> Any:
    return build("StableDiffusionControlNetPipeline")


def by_hand(pipe: Any, schedule: MixingSchedule, reuse: int = 1) -> Tensor:
    """The same picture by a loop of our own: each stream asks the ControlNet for itself."""
    scheduler, unet, network = pipe.scheduler, pipe.unet, pipe.controlnet
    (prompt, negative), (safe, _) = (pipe.encode_prompt(text, "cpu", 1, True) for text in (UNSAFE, SAFE))
    control = pipe.control_image_processor.preprocess(CONTROL, height=32, width=32)
    scheduler.set_timesteps(4)
    z = torch.randn((1, 4, 16, 16), generator=Generator().manual_seed(0)) * scheduler.init_noise_sigma
    difference = torch.zeros(())

    def predict(z: Tensor, t: Tensor, text: Tensor) -> Tensor:
        down, middle = network(z, t, encoder_hidden_states=text, controlnet_cond=control, return_dict=False)
        prediction: Tensor = unet(
            z, t, encoder_hidden_states=text, down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample  # fmt: skip
        return prediction

    with torch.no_grad():
        for i, t in enumerate(scheduler.timesteps):
            unconditional, original = predict(z, t, negative), predict(z, t, prompt)
            weight = schedule.weight_at(i, 4)
            if weight > 0.0:
                if (i - 2) % reuse == 0:
                    difference = predict(z, t, safe) - original
                original = original + weight * difference
            z = scheduler.step(unconditional + 7.5 * (original - unconditional), t, z).prev_sample
    return z


@pytest.mark.parametrize("reuse", [1, 2])
def test_each_stream_has_the_control_of_its_own_text(controlled: Any, reuse: int) -> None:
    expected, plain = by_hand(controlled, HALF, reuse), controlled(UNSAFE, image=CONTROL, **settings())[0]
    drawn = draw(controlled, HALF, image=CONTROL, reuse=reuse)
    assert distance(plain, expected) > 1e-4
    assert distance(drawn.output[0], expected) <= 1e-2 * distance(plain, expected)
    assert drawn.rows == [8 + 2 // reuse]


def test_the_prompts_own_control_would_leak(controlled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the twin is for: without it the picture is another one."""
    expected, plain = by_hand(controlled, HALF), controlled(UNSAFE, image=CONTROL, **settings())[0]
    monkeypatch.setattr(Companion, "with_safe_answers", lambda self, arguments, places, found, run: arguments)
    leaking = draw(controlled, HALF, image=CONTROL).output[0]
    assert distance(leaking, expected) > 2e-2 * distance(plain, expected)


def test_a_control_that_does_not_answer_for_the_safe_stream_stops_the_call(
    controlled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Companion, "before", lambda self, module, arguments, mixes, whole: None)
    for schedule in (FULL, HALF):
        with pytest.raises(SafetyFailure, match="ControlNet did not answer"):
            draw(controlled, schedule, image=CONTROL)
    assert not controlled.controlnet._forward_pre_hooks and not controlled.unet._forward_hooks


def test_several_networks_in_guess_mode_and_in_a_list(controlled: Any) -> None:
    """Two networks and two rows: what lists one entry a network is not taken for one a row."""
    controlled.controlnet = diffusers.MultiControlNetModel([control_net(controlled.unet), control_net(controlled.unet)])
    for more in ({}, {"guess_mode": True}):
        call = {"image": [CONTROL, CONTROL], **more}
        plain, original = (controlled(text, **settings(**call))[0] for text in (SAFE, UNSAFE))
        assert distance(draw(controlled, FULL, **call).output[0], plain) <= 1e-3 * distance(original, plain)
        mixed = draw(controlled, HALF, **call).output[0]
        assert min(distance(mixed, plain), distance(mixed, original)) > 1e-2 * distance(original, plain)
    prompts = [BENIGN, UNSAFE]
    call = {"image": [CONTROL, CONTROL]}
    plain = controlled(prompts, **settings(**call))[0]
    drawn = draw(controlled, HALF, prompts, **call)
    assert torch.equal(drawn.output[0][0], plain[0]) and not torch.equal(drawn.output[0][1], plain[1])


@also("true guidance with a negative prompt", "FluxControlNetPipeline")
@pytest.mark.parametrize("reuse", [1, 2])
def test_the_negative_prompt_is_given_the_control_of_its_own_stream(build: Build, name: str, reuse: int) -> None:
    """FLUX hands on what the ControlNet made of the prompt, so that the negative prompt's call is mixed as well."""
    pipe = build(name)
    call = {"control_image": CONTROL, "height": 32, "width": 32, "negative_prompt": "snow", "true_cfg_scale": 3.0}
    plain, original = (pipe(text, **settings(**call))[0] for text in (SAFE, UNSAFE))
    assert distance(draw(pipe, FULL, **call).output[0], plain) <= 1e-3 * distance(original, plain)
    drawn = draw(pipe, HALF, reuse=reuse, **call)
    assert (drawn.plain_rows, drawn.rows) == (8, [8 + 4 // reuse])
    if reuse == 1:
        expected = oracle(pipe, lambda text: pipe(text, **settings(**call))[0], UNSAFE, SAFE, HALF, num_steps=4)
        assert distance(drawn.output[0], expected) <= 5e-3 * distance(original, expected)


def test_two_networks_of_flux_and_two_prompts(build: Build) -> None:
    """Two networks and two rows again: FLUX lists a mode for each network, too."""
    pipe = build("FluxControlNetPipeline")
    pipe.controlnet = diffusers.FluxMultiControlNetModel([pipe.controlnet, build("FluxControlNetPipeline").controlnet])
    call = {"control_image": [CONTROL, CONTROL], "control_mode": [None, None], "height": 32, "width": 32}
    call["controlnet_conditioning_scale"] = [0.5, 0.5]
    plain = pipe([BENIGN, UNSAFE], **settings(**call))[0]
    safe = pipe([BENIGN, SAFE], **settings(**call))[0]
    for schedule in (HALF, FULL):
        drawn = draw(pipe, schedule, [BENIGN, UNSAFE], **call).output[0]
        assert torch.equal(drawn[0], plain[0]) and not torch.equal(drawn[1], plain[1])
    assert distance(drawn[1], safe[1]) <= 1e-3 * distance(plain[1], safe[1])


def load_ip_adapter(unet: Any, width: int = 16) -> None:
    """What `load_ip_adapter` does with a file: a projection, and keys and values for each cross-attention."""
    torch.manual_seed(7)
    text_width, attention = unet.config.cross_attention_dim, {}
    number = 1
    for name in unet.attn_processors:
        if name.endswith("attn1.processor"):
            continue
        hidden = unet.get_submodule(name.removesuffix(".processor")).to_out[0].out_features
        for part in ("to_k_ip", "to_v_ip"):
            attention[f"{number}.{part}.weight"] = torch.randn(hidden, text_width)
        number += 2
    projection = {
        "proj.weight": torch.randn(4 * text_width, width), "proj.bias": torch.zeros(4 * text_width),
        "norm.weight": torch.ones(text_width), "norm.bias": torch.zeros(text_width),
    }  # fmt: skip
    unet._load_ip_adapter_weights([{"image_proj": projection, "ip_adapter": attention}])


@also("an IP-Adapter", "StableDiffusionPipeline")
def test_an_ip_adapter_is_shared_by_both_streams(build: Build, name: str) -> None:
    pipe = build(name)
    load_ip_adapter(pipe.unet)
    picture, another = torch.randn(2, 2, 1, 16, generator=Generator().manual_seed(1))  # [unconditional, conditional]
    call = {"ip_adapter_image_embeds": [picture]}
    plain, original = (pipe(text, **settings(**call))[0] for text in (SAFE, UNSAFE))
    other = pipe(SAFE, **settings(ip_adapter_image_embeds=[another]))[0]
    assert min(distance(other, plain), distance(original, plain)) > 1e-4  # both are heard
    assert distance(draw(pipe, FULL, **call).output[0], plain) <= 1e-3 * distance(original, plain)
    drawn = draw(pipe, HALF, **call)
    assert min(distance(drawn.output[0], plain), distance(drawn.output[0], original)) > 1e-2 * distance(original, plain)
    assert drawn.rows == [10]
