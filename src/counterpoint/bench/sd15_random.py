"""The models of `bench.speed`; one of them is a Stable Diffusion 1.x of real size with random weights, made here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import diffusers
import torch
import transformers

from counterpoint.embedded import embedded_model_path
from counterpoint.gate import standard_gate
from counterpoint.interfaces import Detection, Detector
from counterpoint.text_space import StableDiffusionText


def wrapped_model(model: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Callable[[], Detector | None]]:
    """Return a pipeline and what makes its gate, None for the standard one.

    Args:
        model: A name of `bench.speed`, or a folder.
        dtype: Precision of all parts.
    """
    if model == "sd15-random":
        pipe = build_sd15_random()
    else:
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(
            embedded_model_path() if model == "embedded" else model, dtype=dtype, safety_checker=None
        )
    pipe.to("cuda" if torch.cuda.is_available() else "cpu", dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe, lambda: told_by_word(pipe) if model == "sd15-random" else None


def told_by_word(pipe: Any) -> Detector:
    """With random weights similarity says nothing: here the standard gate runs, so that its time counts, and the word "knife" decides."""  # noqa: E501
    gate = standard_gate(StableDiffusionText(pipe), threshold=0.5)

    def detect(prompts: Sequence[str]) -> list[Detection]:
        gate(prompts)
        return [
            Detection(is_unsafe="knife" in prompt, score=1.0, evidence=("knife",) if "knife" in prompt else ())
            for prompt in prompts
        ]

    return detect


def build_sd15_random(*, sample_size: int = 32) -> Any:
    """Return a StableDiffusionPipeline of the size of SD 1.5 (860 M parameters in the UNet), float32.

    Args:
        sample_size: Side of the latents; 32 = 256 px.
    """
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(sample_size=sample_size, cross_attention_dim=768)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=8 * sample_size,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    encoder = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
        )
    )
    scheduler = diffusers.PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    return diffusers.StableDiffusionPipeline(
        unet=unet.eval(), vae=vae.eval(), text_encoder=encoder.eval(), tokenizer=_tokenizer(), scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def _tokenizer() -> Any:
    """Return a tokenizer of CLIP's kind, one token a letter."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [*map(chr, plain), *(chr(256 + i) for i in range(256 - len(plain)))]  # the 256 bytes, as CLIP writes them
    names = ["<|startoftext|>", "<|endoftext|>", *symbols, *(symbol + "</w>" for symbol in symbols)]
    return transformers.CLIPTokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[], model_max_length=77)
