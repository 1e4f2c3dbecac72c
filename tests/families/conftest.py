"""Tiny pipelines of all supported classes, random weights, built from configs: no hub."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import control_networks  # beside this file
import further_pipelines as further
import newer_pipelines as newer
from parts import (
    SD_BETAS,
    clip_text,
    clip_tokenizer,
    flux2_vae,
    gemma_text,
    qwen3_text,
    qwen25_vl_text,
    qwen_image_vae,
    qwen_tokenizer,
    sdxl_unet,
    t5_text,
    t5_tokenizer,
    unet,
    vae,
    wan_vae,
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that `claims` puts on tests."""
    config.addinivalue_line("markers", "claim: its outcome stands in the table of families, class by class")


# Pipelines, by the class's name.


def stable_diffusion(name: str) -> Any:
    no_checker = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    is_lcm = "LatentConsistency" in name
    scheduler = (
        diffusers.LCMScheduler(**SD_BETAS)
        if is_lcm
        else diffusers.DDIMScheduler(**SD_BETAS, clip_sample=False, set_alpha_to_one=False)
    )
    network = unet(cross_attention_dim=32, attention_head_dim=8, time_cond_proj_dim=32 if is_lcm else None)
    return getattr(diffusers, name)(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), scheduler=scheduler, unet=network,
        **no_checker, **control(name, network),
    )  # fmt: skip


def control(name: str, network: Any) -> dict[str, Any]:
    """The ControlNet or T2I-Adapter of a pipeline whose class's name asks for one."""
    if "Adapter" in name:
        return {"adapter": control_networks.adapter()}
    return {"controlnet": control_networks.control_network(name, network)} if "ControlNet" in name else {}


def sdxl(name: str) -> Any:
    network = sdxl_unet()
    return getattr(diffusers, name)(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), tokenizer_2=clip_tokenizer(),
        text_encoder_2=clip_text(projected=True, seed=5), unet=network,
        scheduler=diffusers.EulerDiscreteScheduler(**SD_BETAS, timestep_spacing="leading", steps_offset=1),
        **control(name, network),
    )  # fmt: skip


def sd3(name: str) -> Any:
    torch.manual_seed(4)
    channels = 16 if "Inpaint" in name or "ControlNet" in name else 4
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=16, patch_size=1, in_channels=channels, out_channels=channels, num_layers=2,
        attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=32,
        pooled_projection_dim=64,
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        transformer=transformer, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(channels, shift_factor=0.06, scaling_factor=1.5), text_encoder=clip_text(projected=True),
        tokenizer=clip_tokenizer(), text_encoder_2=clip_text(projected=True, seed=5), tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_text(), tokenizer_3=t5_tokenizer(), **control(name, transformer),
    )  # fmt: skip


def flux(name: str) -> Any:
    torch.manual_seed(4)
    beside = "Control" in name and "ControlNet" not in name
    channels = 24 if "Fill" in name else 8 if beside else 4  # the picture beside, and Fill's mask
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=channels, out_channels=4, num_layers=2, num_single_layers=2, attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=[4, 4, 8], guidance_embeds=True,
    ).eval()  # fmt: skip
    small = vae(1, (8, 8), shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False)
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=small, text_encoder=clip_text(),
        tokenizer=clip_tokenizer(), text_encoder_2=t5_text(), tokenizer_2=t5_tokenizer(), transformer=transformer,
        **control(name, transformer),
    )  # fmt: skip


def pixart(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=8, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=3, caption_channels=32,
        in_channels=4, cross_attention_dim=24, out_channels=8, attention_bias=True, activation_fn="gelu-approximate",
        num_embeds_ada_norm=1000, norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for block in transformer.transformer_blocks:
            block.attn2.to_out[0].weight.mul_(50)
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), vae=vae(), transformer=transformer,
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )  # fmt: skip


def sana(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.SanaTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=2, num_attention_heads=2, attention_head_dim=4,
        num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8, caption_channels=8,
        sample_size=32, guidance_embeds="Sprint" in name,
    ).eval()  # fmt: skip
    blocks = ("ResBlock", "EfficientViTBlock")
    autoencoder = diffusers.AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=2, encoder_block_types=blocks,
        decoder_block_types=blocks, encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)), encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=[1, 1], downsample_block_type="conv", upsample_block_type="interpolate",
        decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.41407,
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        transformer=transformer, vae=autoencoder,
        scheduler=diffusers.SCMScheduler()
        if "Sprint" in name
        else diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder=gemma_text(), tokenizer=t5_tokenizer(), **control(name, transformer),
    )  # fmt: skip


def qwen_image(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=3,
        joint_attention_dim=16, guidance_embeds=False, axes_dims_rope=(8, 4, 4),
    ).eval()  # fmt: skip
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, max_image_seq_len=8192, time_shift_type="exponential"
    )
    return getattr(diffusers, name)(
        scheduler=scheduler, vae=qwen_image_vae(), text_encoder=qwen25_vl_text(), tokenizer=qwen_tokenizer(),
        transformer=transformer, **control(name, transformer),
    )  # fmt: skip


def z_image(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2,
        n_kv_heads=2, norm_eps=1e-5, qk_norm=True, cap_feat_dim=16, rope_theta=256.0, t_scale=1000.0,
        axes_dims=[8, 4, 4], axes_lens=[256, 32, 32],
    ).eval()  # fmt: skip
    with torch.no_grad():  # left uninitialised by diffusers
        transformer.x_pad_token.normal_()
        transformer.cap_pad_token.normal_()
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=vae(16, scaling_factor=0.36, shift_factor=0.11),
        text_encoder=qwen3_text("Qwen3Model"), tokenizer=qwen_tokenizer(), transformer=transformer,
        **control(name, transformer),
    )  # fmt: skip


def flux2(name: str) -> Any:
    is_klein = "Klein" in name
    torch.manual_seed(4)
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, timestep_guidance_channels=256, axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=not is_klein,
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=flux2_vae(),
        text_encoder=qwen3_text("Qwen3ForCausalLM") if is_klein else further.mistral_text(),
        tokenizer=qwen_tokenizer() if is_klein else further.Processor(qwen_tokenizer()), transformer=transformer,
    )  # fmt: skip


def wan(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=32, num_layers=2, cross_attn_norm=True, qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    ).eval()  # fmt: skip
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), vae=wan_vae(), scheduler=scheduler, transformer=transformer
    )


def chroma(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.ChromaTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=[4, 4, 8], approximator_hidden_dim=32, approximator_layers=1,
        approximator_num_channels=16,
    ).eval()  # fmt: skip
    small = vae(1, (8, 8), shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False)
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=small, text_encoder=t5_text(),
        tokenizer=t5_tokenizer(), transformer=transformer,
    )  # fmt: skip


def aura_flow(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.AuraFlowTransformer2DModel(
        sample_size=32, patch_size=2, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=32, pos_embed_max_size=64, joint_attention_dim=32, out_channels=4,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for block in transformer.joint_transformer_blocks:
            block.attn.add_v_proj.weight.mul_(30)
            block.attn.to_out[0].weight.mul_(30)
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), vae=vae(), transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def lumina2(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.Lumina2Transformer2DModel(
        sample_size=4, patch_size=2, in_channels=4, hidden_size=8, num_layers=2, num_attention_heads=1,
        num_kv_heads=1, multiple_of=16, norm_eps=1e-5, scaling_factor=1.0, axes_dim_rope=[4, 2, 2], cap_feat_dim=8,
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        transformer=transformer, vae=vae(shift_factor=0.06, scaling_factor=1.5), text_encoder=gemma_text(),
        tokenizer=t5_tokenizer(), scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def ltx(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=4, attention_head_dim=8,
        cross_attention_dim=32, num_layers=1, caption_channels=32,
    ).eval()  # fmt: skip
    torch.manual_seed(1)
    autoencoder = diffusers.AutoencoderKLLTXVideo(
        in_channels=3, out_channels=3, latent_channels=8, block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4, layers_per_block=(1,) * 5, decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, False, False), decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5, upsample_residual=(False,) * 4, upsample_factor=(1,) * 4,
        timestep_conditioning=False, patch_size=1, patch_size_t=1, encoder_causal=True, decoder_causal=False,
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        transformer=transformer, vae=autoencoder, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        text_encoder=t5_text(), tokenizer=t5_tokenizer(),
    )  # fmt: skip


def cog_view_3(name: str) -> Any:
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), vae=vae(), transformer=further.cog_view_3_transformer(),
        scheduler=diffusers.CogVideoXDDIMScheduler(),
    )  # fmt: skip


def cog_view_4(name: str) -> Any:
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=further.glm_text(), vae=vae(),
        transformer=further.cog_view_4_transformer(8 if "Control" in name else 4),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def lumina(name: str) -> Any:
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=gemma_text(), vae=vae(), transformer=further.lumina_transformer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def kandinsky_3(name: str) -> Any:
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), unet=further.kandinsky_3_unet(), movq=further.movq(),
        scheduler=diffusers.DDPMScheduler(beta_start=0.00085, beta_end=0.02, beta_schedule="squaredcos_cap_v2"),
    )  # fmt: skip


def bria(name: str) -> Any:
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), vae=vae(), transformer=further.bria_transformer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def depth(name: str) -> Any:
    return getattr(diffusers, name)(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), depth_estimator=further.depth_estimator(),
        unet=unet(5, cross_attention_dim=32, attention_head_dim=8), feature_extractor=None,
        scheduler=diffusers.DDIMScheduler(**SD_BETAS, clip_sample=False, set_alpha_to_one=False),
    )  # fmt: skip


def hunyuan_dit(name: str) -> Any:
    transformer = further.hunyuan_dit_transformer()
    return getattr(diffusers, name)(
        vae=vae(widths=(16,) * 4), text_encoder=further.bert_text(), tokenizer=further.bert_tokenizer(),
        text_encoder_2=t5_text(), tokenizer_2=t5_tokenizer(), transformer=transformer,
        scheduler=diffusers.DDPMScheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        **control(name, transformer),
    )  # fmt: skip


def ovis_image(name: str) -> Any:
    small = vae(1, (8, 8), shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False)
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=small, text_encoder=qwen3_text("Qwen3Model"),
        tokenizer=qwen_tokenizer(), transformer=further.ovis_image_transformer(),
    )  # fmt: skip


def deep_floyd(name: str) -> Any:
    scheduler = diffusers.DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", variance_type="learned_range", prediction_type="epsilon", thresholding=False
    )
    return getattr(diffusers, name)(
        tokenizer=t5_tokenizer(), text_encoder=t5_text(), unet=further.deep_floyd_unet(), scheduler=scheduler,
        safety_checker=None, feature_extractor=None, watermarker=None, requires_safety_checker=False,
    )  # fmt: skip


FAMILIES: dict[Callable[[str], Any], tuple[str, ...]] = {
    stable_diffusion: (
        "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline",
        "LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline",
        "StableDiffusionControlNetPipeline", "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionControlNetInpaintPipeline", "StableDiffusionPAGPipeline", "StableDiffusionPAGImg2ImgPipeline",
        "StableDiffusionPAGInpaintPipeline", "StableDiffusionControlNetPAGPipeline",
        "StableDiffusionControlNetPAGInpaintPipeline", "StableDiffusionAdapterPipeline",
    ),
    sdxl: (
        "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLControlNetPipeline", "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline", "StableDiffusionXLPAGPipeline",
        "StableDiffusionXLPAGImg2ImgPipeline", "StableDiffusionXLPAGInpaintPipeline",
        "StableDiffusionXLControlNetPAGPipeline", "StableDiffusionXLControlNetPAGImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionPipeline", "StableDiffusionXLControlNetUnionImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionInpaintPipeline", "StableDiffusionXLAdapterPipeline",
    ),
    sd3: (
        "StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline",
        "StableDiffusion3PAGPipeline", "StableDiffusion3PAGImg2ImgPipeline",
        "StableDiffusion3ControlNetPipeline", "StableDiffusion3ControlNetInpaintingPipeline",
    ),
    depth: ("StableDiffusionDepth2ImgPipeline",),
    hunyuan_dit: ("HunyuanDiTPipeline", "HunyuanDiTPAGPipeline", "HunyuanDiTControlNetPipeline"),
    ovis_image: ("OvisImagePipeline",),
    deep_floyd: ("IFPipeline",),
    flux: (
        "FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline", "FluxFillPipeline", "FluxControlPipeline",
        "FluxControlImg2ImgPipeline", "FluxControlInpaintPipeline", "FluxControlNetPipeline",
        "FluxControlNetImg2ImgPipeline", "FluxControlNetInpaintPipeline",
    ),
    flux2: ("Flux2Pipeline", "Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
    pixart: ("PixArtAlphaPipeline", "PixArtSigmaPipeline", "PixArtSigmaPAGPipeline"),
    sana: (
        "SanaPipeline", "SanaPAGPipeline", "SanaSprintPipeline", "SanaSprintImg2ImgPipeline", "SanaControlNetPipeline",
    ),
    qwen_image: (
        "QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline", "QwenImageControlNetPipeline",
        "QwenImageControlNetInpaintPipeline",
    ),
    z_image: (
        "ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline", "ZImageControlNetPipeline",
        "ZImageControlNetInpaintPipeline",
    ),
    chroma: ("ChromaPipeline", "ChromaImg2ImgPipeline"),
    aura_flow: ("AuraFlowPipeline",),
    lumina2: ("Lumina2Pipeline",),
    cog_view_3: ("CogView3PlusPipeline",),
    cog_view_4: ("CogView4Pipeline", "CogView4ControlPipeline"),
    lumina: ("LuminaPipeline",),
    kandinsky_3: ("Kandinsky3Pipeline", "Kandinsky3Img2ImgPipeline"),
    bria: ("BriaPipeline",),
    wan: ("WanPipeline",),
    ltx: ("LTXPipeline",),
    **newer.FAMILIES,
}  # fmt: skip
BUILDERS = {name: builder for builder, names in FAMILIES.items() for name in names}


@pytest.fixture
def build() -> Callable[[str], Any]:
    """Build a tiny pipeline of a class, by its name."""

    def builder(name: str) -> Any:
        pipe = BUILDERS[name](name)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    return builder
