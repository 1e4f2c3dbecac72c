"""Parts of tiny pipelines: tokenizers, text encoders, autoencoders and UNets with random weights, built from configs.

The parts that hear the text are made loud, so that two prompts give two pictures.
"""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers
from torch.nn import Module

SD_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
CHAT_TEMPLATE = "{% for message in messages %}<user>{{ message['content'] }}<end>{% endfor %}"


# Tokenizers: one token a character.


def byte_symbols() -> list[str]:
    """The 256 symbols that stand for bytes in byte-level vocabularies."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]


def clip_tokenizer() -> Any:
    symbols = byte_symbols()
    names = ["<|startoftext|>", "<|endoftext|>", *symbols, *(symbol + "</w>" for symbol in symbols)]
    return transformers.CLIPTokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[], model_max_length=77)


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?-'"


def t5_tokenizer() -> Any:
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *((c, -3.0) for c in LETTERS)]
    return transformers.T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=77)


def qwen_tokenizer() -> Any:
    names = ["<|endoftext|>", *byte_symbols()]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab={name: i for i, name in enumerate(names)}, merges=[], model_max_length=512
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


# Text encoders.


def loud(encoder: Module) -> Any:
    """Make tokens differ a lot."""
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(std=1.0)
    return encoder.eval()


def clip_text(*, projected: bool = False, seed: int = 0, length: int = 77) -> Any:
    torch.manual_seed(seed)
    config = transformers.CLIPTextConfig(
        vocab_size=514, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=length, projection_dim=32, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    name = "CLIPTextModelWithProjection" if projected else "CLIPTextModel"
    return loud(getattr(transformers, name)(config))


def t5_text() -> Any:
    torch.manual_seed(3)
    config = transformers.T5Config(
        vocab_size=80, d_model=32, d_ff=37, d_kv=8, num_layers=2, num_heads=4, relative_attention_num_buckets=8
    )
    return loud(transformers.T5EncoderModel(config))


def gemma_text() -> Any:
    torch.manual_seed(3)
    config = transformers.Gemma2Config(
        head_dim=16, hidden_size=8, intermediate_size=64, max_position_embeddings=512, num_attention_heads=2,
        num_hidden_layers=1, num_key_value_heads=2, vocab_size=80, attn_implementation="eager",
    )  # fmt: skip
    return loud(transformers.Gemma2Model(config))


def qwen3_text(name: str) -> Any:
    torch.manual_seed(3)
    config = transformers.Qwen3Config(
        vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=1024,
    )  # fmt: skip
    return loud(getattr(transformers, name)(config))


def qwen25_vl_text() -> Any:
    torch.manual_seed(3)
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 2, "rope_theta": 1000000.0, "vocab_size": 300,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
        },
        hidden_size=16, vocab_size=300, vision_end_token_id=291, vision_start_token_id=290, vision_token_id=292,
    )  # fmt: skip
    return loud(transformers.Qwen2_5_VLForConditionalGeneration(config))


# Autoencoders and denoisers.


def vae(latent_channels: int = 4, widths: tuple[int, ...] = (16, 32), **options: Any) -> Any:
    torch.manual_seed(1)
    return diffusers.AutoencoderKL(
        block_out_channels=widths, latent_channels=latent_channels, norm_num_groups=8, sample_size=32,
        down_block_types=["DownEncoderBlock2D"] * len(widths), up_block_types=["UpDecoderBlock2D"] * len(widths),
        **options,
    ).eval()  # fmt: skip


def flux2_vae() -> Any:
    torch.manual_seed(1)
    return diffusers.AutoencoderKLFlux2(
        sample_size=32, in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",),
        up_block_types=("UpDecoderBlock2D",), block_out_channels=(4,), layers_per_block=1, latent_channels=4,
        norm_num_groups=1, use_quant_conv=False, use_post_quant_conv=False,
    ).eval()  # fmt: skip


def qwen_image_vae() -> Any:
    torch.manual_seed(1)
    return diffusers.AutoencoderKLQwenImage(
        base_dim=24, z_dim=4, dim_mult=[1, 2, 4], num_res_blocks=1, temperal_downsample=[False, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    ).eval()  # fmt: skip


def wan_vae() -> Any:
    torch.manual_seed(1)
    return diffusers.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    ).eval()


def unet(in_channels: int = 4, **options: Any) -> Any:
    torch.manual_seed(2)
    return diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=16, in_channels=in_channels, out_channels=4,
        norm_num_groups=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **options,
    ).eval()  # fmt: skip


def sdxl_unet(in_channels: int = 4) -> Any:
    return unet(
        in_channels, addition_embed_type="text_time", addition_time_embed_dim=8, transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80, attention_head_dim=(2, 4), use_linear_projection=True,
        cross_attention_dim=64,
    )  # fmt: skip
