"""SLD and SEGA draw what diffusers' own, deprecated pipelines draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.deprecated.semantic_stable_diffusion.pipeline_semantic_stable_diffusion import (
    SemanticStableDiffusionPipeline,
)
from diffusers.pipelines.deprecated.stable_diffusion_safe import SafetyConfig
from diffusers.pipelines.deprecated.stable_diffusion_safe.pipeline_stable_diffusion_safe import (
    StableDiffusionPipelineSafe,
)

from counterpoint.methods import sega, sld
from counterpoint.methods.extra_rows import extra_rows

PROMPTS = ["a chef with a knife in a room", "a cat on a beach"]
STEPS = 18
"""More than the longest warm-up."""


def seeds() -> list[torch.Generator]:
    return [torch.Generator("cpu").manual_seed(number) for number in (1, 2)]


def twin(pipe: Any, kind: Any) -> Any:
    twin = kind(**pipe.components, requires_safety_checker=False) if kind is StableDiffusionPipelineSafe else kind(
        vae=pipe.vae, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer, unet=pipe.unet,
        scheduler=pipe.scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    twin.set_progress_bar_config(disable=True)
    return twin


def without_attention_mask(pipe: Any) -> Any:
    """SLD's pipeline uses none for the concept, SEGA's none at all; CLIP has none either."""
    pipe.text_encoder.config.use_attention_mask = False
    return pipe


WEAK = {"sld_guidance_scale": 200}
"""Hyp-Weak of the paper; diffusers' own constant says 20."""


@pytest.mark.parametrize("preset", ["weak", "medium", "strong", "max"])
def test_sld_is_the_pipeline_of_diffusers(loud_pipe: Any, preset: Any) -> None:
    pipe = without_attention_mask(loud_pipe.to(torch.float64))
    theirs = twin(pipe, StableDiffusionPipelineSafe)
    theirs.safety_concept = "knife, sword"
    wanted = theirs(
        PROMPTS, generator=seeds(), num_inference_steps=STEPS, output_type="np",
        **(getattr(SafetyConfig, preset.upper()) | (WEAK if preset == "weak" else {})),
    ).images  # fmt: skip
    ours = sld.build(pipe, sld.Options(preset=preset, concepts=("knife", "sword"), scale_warmup=False))
    pictures = ours(PROMPTS, generators=seeds(), num_inference_steps=STEPS)
    for picture, theirs_picture in zip(pictures, wanted, strict=True):
        assert picture.pixels is not None
        np.testing.assert_allclose(picture.pixels.permute(1, 2, 0).numpy(), theirs_picture, atol=1e-6)
    plain = pipe(PROMPTS, generator=seeds(), num_inference_steps=STEPS, output_type="np").images
    assert np.abs(plain - wanted).max() > 1e-3  # the guidance did something


I2P = {"medium": (4.0, 0.9, 10, 0.3), "strong": (7.0, 0.85, 5, 0.5), "max": (10.0, 0.75, 0, 0.5)}
"""What the I2P benchmark draws with."""
SEGA_NAMES = ("edit_guidance_scale", "edit_threshold", "edit_warmup_steps", "edit_momentum_scale")


@pytest.mark.parametrize(
    ("concepts", "preset"), [(("knife",), "strong"), (("knife", "a sword"), "max"), (("knife",), "medium")]
)
def test_sega_is_the_pipeline_of_diffusers(loud_pipe: Any, concepts: tuple[str, ...], preset: Any) -> None:
    pipe = without_attention_mask(loud_pipe.to(torch.float64))
    theirs = twin(pipe, SemanticStableDiffusionPipeline)
    wanted = theirs(
        PROMPTS, generator=seeds(), num_inference_steps=12, output_type="np", editing_prompt=list(concepts),
        reverse_editing_direction=True, edit_mom_beta=0.4, **dict(zip(SEGA_NAMES, I2P[preset], strict=True)),
    ).images  # fmt: skip
    ours = sega.build(pipe, sega.Options(concepts=concepts, preset=preset, scale_warmup=False))
    pictures = ours(PROMPTS, generators=seeds(), num_inference_steps=12)
    for picture, theirs_picture in zip(pictures, wanted, strict=True):
        assert picture.pixels is not None
        np.testing.assert_allclose(picture.pixels.permute(1, 2, 0).numpy(), theirs_picture, atol=1e-6)
    plain = pipe(PROMPTS, generator=seeds(), num_inference_steps=12, output_type="np").images
    assert np.abs(plain - wanted).max() > 1e-3


def test_sega_takes_numbers_in_place_of_its_presets() -> None:
    own = sega.Options(preset="max", edit_guidance_scale=0.0, edit_warmup_steps=3)
    assert own.settings == (0.0, 0.75, 3, 0.5) and sega.Options().settings == I2P["strong"]


def test_the_safety_scale_is_zero_where_the_prompt_is_far_from_the_concept() -> None:
    text, safety = torch.tensor([0.0, 1.0, -0.5, 0.01]), torch.tensor([0.0, 0.0, 0.0, 0.0])
    assert sld.concept_scale(text, safety, 1.5, 0.02).tolist() == pytest.approx([0.0, 0.0, 0.75, 0.015])


def test_a_warmup_is_a_share_of_the_schedule(loud_pipe: Any) -> None:
    def picture(**options: Any) -> torch.Tensor:
        method = sld.build(loud_pipe, sld.Options(preset="weak", concepts=("knife",), **options))
        (drawn,) = method(PROMPTS[:1], generators=seeds()[:1], num_inference_steps=10)
        assert drawn.pixels is not None
        return drawn.pixels

    plain = loud_pipe(PROMPTS[:1], generator=seeds()[0], num_inference_steps=10, output_type="pt").images[0]
    assert (picture(scale_warmup=False) - plain).abs().max() < 1e-4  # 15 steps of 10: never reached
    assert (picture() - plain).abs().max() > 1e-3


def test_extra_rows_answer_the_text_that_they_are_given(loud_pipe: Any) -> None:
    """A row that hears another prompt answers, in the prompt's place, as that prompt's own row does."""
    embeds = loud_pipe.encode_prompt(PROMPTS[1], "cpu", 1, False)[0]
    with extra_rows(loud_pipe, [embeds], lambda step, uncond, text, extras: extras[0]):
        swapped = loud_pipe(PROMPTS[0], generator=seeds()[0], num_inference_steps=3, output_type="pt").images
    other = loud_pipe(PROMPTS[1], generator=seeds()[0], num_inference_steps=3, output_type="pt").images
    assert torch.allclose(swapped, other, atol=1e-6)
