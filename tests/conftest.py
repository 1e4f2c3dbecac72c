"""A tiny Stable Diffusion pipeline with random weights, built locally: no hub, no embedded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import BertConfig, BertModel, BertTokenizerFast

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other

WORDS = """a an the of with and in on at by near has holding is under next to who man woman chef robot cat dog
astronaut police officer farmer doctor knife sword dagger skull cigarette beer guitar apple flower book pencil
ball forest beach room city desert snow meadow night sky street safe peaceful harmless suitable for everyone
thing object something person place animal picture scene , . - s ##s""".split()


def _text_encoder() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37,
        max_position_embeddings=48, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    config.use_attention_mask = True
    encoder = BertModel(config).eval()
    with torch.no_grad():  # tokens that differ a lot: two prompts must give two pictures
        encoder.embeddings.word_embeddings.weight.normal_(std=3.0)
    return encoder


def build_pipe(folder: Path) -> Any:
    """Build the pipeline; `folder` takes the tokenizer's vocabulary."""
    vocabulary = folder / "vocab.txt"
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    vocabulary.write_text("\n".join(dict.fromkeys([*names, *letters, *(f"##{x}" for x in letters)])))
    tokenizer = BertTokenizerFast(vocab=str(vocabulary), model_max_length=32)
    encoder = _text_encoder()
    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(16, 16), norm_num_groups=8, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )
    pipe = StableDiffusionPipeline(
        vae=vae.eval(), text_encoder=encoder, tokenizer=tokenizer, unet=unet.eval(), scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of the tiny pipeline, for `from_pretrained`."""
    folder = tmp_path_factory.mktemp("tiny")
    build_pipe(folder).save_pretrained(folder / "model")
    return str(folder / "model")


@pytest.fixture
def tiny_pipe(tmp_path: Path) -> Any:
    """A fresh tiny pipeline."""
    return build_pipe(tmp_path)
