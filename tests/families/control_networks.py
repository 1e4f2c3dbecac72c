"""Tiny ControlNets and T2I-Adapters beside the denoisers of `conftest`, made loud: fresh ones say nothing."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from torch.nn import Module


def heard(network: Any) -> Any:
    """Make the layers loud that start as zeros, through which a ControlNet speaks."""
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1 and not weight.any():
                weight.normal_(std=0.3)
    return network.eval()


def control_network(name: str, denoiser: Any) -> Module:
    """Return the ControlNet of a pipeline, by its class's name."""
    torch.manual_seed(6)
    for start, builder in BUILDERS.items():
        if name.startswith(start):
            return heard(builder(denoiser, name))
    return control_net(denoiser)


def control_net(unet: Any) -> Any:
    """Return a ControlNet for a UNet."""
    torch.manual_seed(6)
    return heard(
        diffusers.ControlNetModel.from_unet(
            unet, load_weights_from_unet=False, conditioning_embedding_out_channels=(16, 32)
        )
    )


def union(unet: Any, name: str) -> Any:
    """One network for several kinds of control."""
    more = {"conditioning_embedding_out_channels": (16, 32), "num_trans_channel": 32, "num_trans_head": 2}
    return diffusers.ControlNetUnionModel.from_config({**unet.config, **more, "num_proj_channel": 32})


def flux(transformer: Any, name: str) -> Any:
    shape = {"attention_head_dim": 16, "num_attention_heads": 2}
    return diffusers.FluxControlNetModel.from_transformer(
        transformer, num_layers=1, num_single_layers=1, load_weights_from_transformer=False, **shape
    )


def stable_diffusion_3(transformer: Any, name: str) -> Any:
    config = {**transformer.config, "num_layers": 1, "extra_conditioning_channels": int("Inpaint" in name)}
    return diffusers.SD3ControlNetModel.from_config({**config, "force_zeros_for_pooled_projection": False})


def qwen_image(transformer: Any, name: str) -> Any:
    return diffusers.QwenImageControlNetModel.from_transformer(
        transformer, num_layers=1, attention_head_dim=16, num_attention_heads=3, load_weights_from_transformer=False,
        extra_condition_channels=4 if "Inpaint" in name else 0,
    )  # fmt: skip


def hunyuan_dit(transformer: Any, name: str) -> Any:
    shape = {"sample_size", "patch_size", "attention_head_dim", "num_attention_heads", "hidden_size", "in_channels"}
    text = {"cross_attention_dim", "cross_attention_dim_t5", "pooled_projection_dim"}
    config = {key: transformer.config[key] for key in shape | text}
    return diffusers.HunyuanDiT2DControlNetModel(**config, transformer_num_layers=2)


def sana(transformer: Any, name: str) -> Any:
    return diffusers.SanaControlNetModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2, attention_head_dim=4,
        num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8, caption_channels=8,
        sample_size=32,
    )  # fmt: skip


def z_image(transformer: Any, name: str) -> Any:
    return diffusers.ZImageControlNetModel(
        control_layers_places=[0, 1], control_refiner_layers_places=[0], control_in_dim=33 if "Inpaint" in name else 16,
        add_control_noise_refiner="control_noise_refiner" if "Inpaint" in name else None, dim=32, n_refiner_layers=1,
        n_heads=2, n_kv_heads=2,
    )  # fmt: skip


BUILDERS: dict[str, Any] = {
    "StableDiffusionXLControlNetUnion": union,
    "StableDiffusion3": stable_diffusion_3,
    "Flux": flux,
    "QwenImage": qwen_image,
    "HunyuanDiT": hunyuan_dit,
    "Sana": sana,
    "ZImage": z_image,
}
"""By how the class's name starts; any other has a UNet's."""


def adapter() -> Module:
    """Return a T2I-Adapter for the UNets of `conftest`, whose first block makes its latents smaller, as XL's does."""
    torch.manual_seed(6)
    kind = {"adapter_type": "full_adapter_xl", "downscale_factor": 4}
    return diffusers.T2IAdapter(in_channels=3, channels=[32, 64, 64, 64], num_res_blocks=1, **kind).eval()
