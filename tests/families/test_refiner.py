"""The SDXL refiner: the base stops early, and an image-to-image pipeline with one text encoder takes its latents on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from claims import also
from oracle import distance, oracle
from torch import Generator, Tensor

from counterpoint.detectors.concept_similarity import ConceptSimilarity
from counterpoint.interfaces import Detection, InvalidInput, SafeText
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE, BENIGN = "a chef with a knife in a room", "a chef in a room", "a cat on a beach"
FULL = MixingSchedule(weight=1.0)
HALF = MixingSchedule(weight=0.6, tau=0.5)
NUM_STEPS, SPLIT = 8, 0.5
"""Steps of the schedule, and where in it the refiner takes over: each of the two takes 4 of them."""
Build = Callable[[str], Any]


def refiner(build: Build, name: str) -> Any:
    """The refiner has the second encoder alone, and an aesthetic score in place of the target size."""
    pipe = build(name)
    torch.manual_seed(2)
    network = diffusers.UNet2DConditionModel.from_config(
        pipe.unet.config, cross_attention_dim=32, projection_class_embeddings_input_dim=5 * 8 + 32
    )
    pipe.register_modules(text_encoder=None, tokenizer=None, unet=network.eval())
    pipe.register_to_config(requires_aesthetics_score=True)
    return pipe


@pytest.fixture
def both(build: Build, name: str) -> tuple[Any, Any]:
    """A base and its refiner; `name` is the class of the refiner."""
    return build("StableDiffusionXLPipeline"), refiner(build, name)


def guard(pipe: Any, schedule: MixingSchedule) -> SafePipeline:
    return SafePipeline(
        pipe, reuse=1, schedule=schedule,
        detector=lambda prompts: [Detection(is_unsafe="knife" in prompt, score=0.5) for prompt in prompts],
        embedding=lambda prompt, detection: SafeText(prompt=prompt.replace(" with a knife", "")),
    )  # fmt: skip


def begin(base: Any, prompt: str) -> Any:
    return base(
        prompt, num_inference_steps=NUM_STEPS, denoising_end=SPLIT, output_type="latent", height=32, width=32,
        generator=Generator().manual_seed(0),
    )  # fmt: skip


def go_on(fine: Any, prompt: str, latents: Tensor) -> Any:
    return fine(
        prompt, image=latents, num_inference_steps=NUM_STEPS, denoising_start=SPLIT, output_type="latent",
        aesthetic_score=7.0, generator=Generator().manual_seed(1),
    )  # fmt: skip


def chain(base: Any, fine: Any, prompt: str) -> Tensor:
    latents: Tensor = go_on(fine, prompt, begin(base, prompt).images).images
    return latents


REFINER = also("the latents of a base (refiner)", "StableDiffusionXLImg2ImgPipeline")


@REFINER
def test_a_harmless_prompt_goes_through_the_plain_chain(both: tuple[Any, Any]) -> None:
    base, fine = both
    assert torch.equal(chain(guard(base, FULL), guard(fine, FULL), BENIGN), chain(base, fine, BENIGN))


@REFINER
def test_both_at_full_weight_are_the_plain_chain_on_the_safe_prompt(both: tuple[Any, Any]) -> None:
    base, fine = both
    plain, original = chain(base, fine, SAFE), chain(base, fine, UNSAFE)
    effect = distance(original, plain)
    assert distance(chain(guard(base, FULL), guard(fine, FULL), UNSAFE), plain) <= 1e-3 * effect
    for first, second in ((guard(base, FULL), fine), (base, guard(fine, FULL))):  # one of them is not enough
        assert distance(chain(first, second, UNSAFE), plain) > 1e-2 * effect


@REFINER
def test_the_refiner_mixes_as_the_oracle_does(both: tuple[Any, Any]) -> None:
    base, fine = both
    latents = begin(base, BENIGN).images
    expected = oracle(fine, lambda text: go_on(fine, text, latents).images, UNSAFE, SAFE, HALF, NUM_STEPS // 2)
    plain, mixed = go_on(fine, UNSAFE, latents).images, go_on(guard(fine, HALF), UNSAFE, latents)
    assert distance(mixed.images, expected) <= 5e-3 * distance(plain, expected)
    assert mixed.safety[0].cost.denoiser_rows == mixed.safety[0].cost.plain_rows + 2


@REFINER
def test_tau_counts_the_steps_of_each_call(both: tuple[Any, Any]) -> None:
    """Of four steps each, two are the prompt's alone in both calls; tau 0 in the refiner leaves it none."""
    base, fine = both
    first = begin(guard(base, HALF), UNSAFE)
    assert first.safety[0].steps_mixed == base.num_timesteps // 2 == 2
    for schedule, mixed in ((HALF, 2), (MixingSchedule(weight=0.6), 4)):
        second = go_on(guard(fine, schedule), UNSAFE, first.images)
        assert (fine.num_timesteps, second.safety[0].steps_mixed) == (4, mixed)


@REFINER
def test_the_gate_reads_with_the_refiners_one_encoder(both: tuple[Any, Any]) -> None:
    base, fine = both
    safe, latents = guard(fine, FULL), begin(base, BENIGN).images
    assert safe.text.encoder is fine.text_encoder_2
    engaged, passed = ConceptSimilarity(safe.text, threshold=0.999)([UNSAFE, "zzz"])
    assert engaged.evidence == ("knife",) and not passed.is_unsafe
    with pytest.raises(InvalidInput, match="tokens"):
        go_on(safe, "cat " * 30, latents)
