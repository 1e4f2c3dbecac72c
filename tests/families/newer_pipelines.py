"""Tiny pipelines of families of later date, by the class's name, as `conftest` has the older ones."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import sentencepiece
import torch
import transformers
from diffusers.models.transformers import transformer_cosmos
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from further_pipelines import Processor
from parts import (
    LETTERS,
    SD_BETAS,
    clip_text,
    clip_tokenizer,
    flux2_vae,
    loud,
    qwen25_vl_text,
    qwen_image_vae,
    qwen_tokenizer,
    t5_text,
    t5_tokenizer,
    unet,
    vae,
    wan_vae,
)

MEAN_STD = {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}


def heard(network: Any) -> Any:
    """Make the modulation loud that starts as zeros: without it no block says anything."""
    with torch.no_grad():
        for weight in network.parameters():
            if not weight.any():
                weight.normal_(std=0.3)
    return network.eval()


def qwen3_vl_text(name: str, num_layers: int = 2) -> Any:
    torch.manual_seed(3)
    config = transformers.Qwen3VLConfig(
        text_config={
            "vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": num_layers,
            "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
            "deepstack_visual_indexes": [0], "num_position_embeddings": 16,
        },
    )  # fmt: skip
    return loud(getattr(transformers, name)(config))


def glm_tokenizer() -> Any:
    """Kolors' own, on a vocabulary of letters that is made here."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(LETTERS)] * 4), model_writer=model, model_type="char", vocab_size=75,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.model"
        path.write_bytes(model.getvalue())
        return ChatGLMTokenizer(str(path))


def glm_text() -> Any:
    torch.manual_seed(3)
    config = ChatGLMConfig(
        num_layers=2, padded_vocab_size=120, hidden_size=32, ffn_hidden_size=32, kv_channels=8, num_attention_heads=4,
        multi_query_attention=True, multi_query_group_num=2, add_qkv_bias=True, original_rope=True,
    )  # fmt: skip
    encoder = ChatGLMModel(config).float()
    with torch.no_grad():  # left uninitialised by diffusers
        for weight in encoder.parameters():
            weight.normal_(std=0.2) if weight.ndim > 1 else weight.fill_(1.0)
    return loud(encoder)


def kolors(name: str) -> Any:
    network = unet(
        addition_embed_type="text_time", addition_time_embed_dim=8, transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80, attention_head_dim=(2, 4), use_linear_projection=True,
        cross_attention_dim=32, encoder_hid_dim=None,
    )  # fmt: skip
    return getattr(diffusers, name)(
        vae=vae(), text_encoder=glm_text(), tokenizer=glm_tokenizer(), unet=network,
        scheduler=diffusers.EulerDiscreteScheduler(**SD_BETAS, timestep_spacing="leading", steps_offset=1),
    )  # fmt: skip


def hunyuan_image(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.HunyuanImageTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16, num_layers=1, num_single_layers=1,
        num_refiner_layers=1, text_embed_dim=16, text_embed_2_dim=32, rope_axes_dim=(8, 8),
    ).eval()  # fmt: skip
    torch.manual_seed(1)
    autoencoder = diffusers.AutoencoderKLHunyuanImage(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(32, 32), layers_per_block=1,
        spatial_compression_ratio=2, sample_size=32, scaling_factor=0.5,
    ).eval()  # fmt: skip
    torch.manual_seed(3)
    glyphs = transformers.T5Config(vocab_size=400, d_model=32, d_ff=37, d_kv=8, num_layers=1, num_heads=4)
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0), vae=autoencoder, transformer=transformer,
        text_encoder=qwen25_vl_text(), tokenizer=qwen_tokenizer(),
        text_encoder_2=loud(transformers.T5EncoderModel(glyphs)), tokenizer_2=transformers.ByT5Tokenizer(),
        guider=diffusers.AdaptiveProjectedMixGuidance(adaptive_projected_guidance_start_step=2),
        ocr_guider=diffusers.AdaptiveProjectedMixGuidance(),
    )  # fmt: skip


def kandinsky_5(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.Kandinsky5Transformer3DModel(
        in_visual_dim=4, in_text_dim=16, in_text_dim2=32, time_dim=16, out_visual_dim=4, model_dim=16, ff_dim=32,
        num_text_blocks=1, num_visual_blocks=2, axes_dims=(4, 2, 2),
    )  # fmt: skip
    pipe = getattr(diffusers, name)(
        transformer=heard(transformer), vae=vae(widths=(8,) * 4), text_encoder=qwen25_vl_text(),
        tokenizer=Processor(qwen_tokenizer()), text_encoder_2=clip_text(), tokenizer_2=clip_tokenizer(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip
    pipe.resolutions = [(32, 32)]  # those of the class are of a million pixels
    return pipe


def qwen_image_2(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.QwenImage21Transformer2DModel(
        in_channels=4, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2, context_in_dim=16,
        axes_dims_rope=(8, 4, 4),
    ).eval()  # fmt: skip
    torch.manual_seed(1)
    autoencoder = diffusers.AutoencoderKLQwenImage21(
        base_dim=8, decoder_base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1, 1], num_res_blocks=1, **MEAN_STD
    ).eval()
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=autoencoder,
        text_encoder=qwen3_vl_text("Qwen3VLForConditionalGeneration"), processor=Processor(qwen_tokenizer()),
        transformer=transformer,
    )  # fmt: skip


def krea_2(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.Krea2Transformer2DModel(
        in_channels=16, num_layers=2, attention_head_dim=16, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, timestep_embed_dim=16, text_hidden_dim=16, num_text_layers=2,
        text_num_attention_heads=2, text_num_key_value_heads=2, text_intermediate_size=32,
        num_layerwise_text_blocks=1, num_refiner_text_blocks=1, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=qwen_image_vae(),
        text_encoder=qwen3_vl_text("Qwen3VLModel"), tokenizer=qwen_tokenizer(), transformer=heard(transformer),
        text_encoder_select_layers=(1, 2),
    )  # fmt: skip


class Guardrail:
    """Stands in for NVIDIA's, which Cosmos must have and which downloads its models: it finds nothing."""

    def to(self, device: Any) -> Guardrail:
        return self

    def check_text_safety(self, prompt: str) -> bool:
        return True

    def check_video_safety(self, frames: Any) -> Any:
        return frames


def resized(mask: torch.Tensor, size: list[int], interpolation: str) -> torch.Tensor:
    return torch.nn.functional.interpolate(mask, size, mode=interpolation)


def cosmos_2(name: str) -> Any:
    if not hasattr(transformer_cosmos, "transforms"):  # what it takes from torchvision, which is not installed
        transformer_cosmos.transforms = SimpleNamespace(
            functional=SimpleNamespace(resize=resized), InterpolationMode=SimpleNamespace(NEAREST="nearest")
        )
    torch.manual_seed(4)
    transformer = diffusers.CosmosTransformer3DModel(
        in_channels=16, out_channels=16, num_attention_heads=2, attention_head_dim=16, num_layers=2, mlp_ratio=2,
        text_embed_dim=32, adaln_lora_dim=4, max_size=(4, 32, 32), extra_pos_embed_type=None,
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        text_encoder=t5_text(), tokenizer=t5_tokenizer(), transformer=transformer, vae=wan_vae(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True), safety_checker=Guardrail(),
    )  # fmt: skip


def llama_text() -> Any:
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, attn_implementation="eager",
    )  # fmt: skip
    return loud(transformers.LlamaForCausalLM(config))


def hidream(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.HiDreamImageTransformer2DModel(
        patch_size=2, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=4,
        caption_channels=[32, 16], text_emb_dim=64, num_routed_experts=2, num_activated_experts=1,
        axes_dims_rope=(4, 2, 2), max_resolution=(32, 32), llama_layers=[0, 1], force_inference_output=True,
    ).eval()  # fmt: skip
    pipe = getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=vae(scaling_factor=0.36, shift_factor=0.11),
        text_encoder=clip_text(projected=True, length=248), tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(projected=True, seed=5, length=248), tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_text(), tokenizer_3=t5_tokenizer(), text_encoder_4=llama_text(), tokenizer_4=qwen_tokenizer(),
        transformer=transformer,
    )  # fmt: skip
    pipe.default_sample_size = 16  # every call has as many pixels as this says
    return pipe


def ideogram_4(name: str) -> Any:
    def network() -> Any:
        return diffusers.Ideogram4Transformer2DModel(
            in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=2, intermediate_size=32,
            adaln_dim=16, llm_features_dim=13 * 16, mrope_section=(2, 1, 1),
        )  # fmt: skip

    torch.manual_seed(4)
    transformer, unconditional = heard(network()), heard(network())
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=flux2_vae(), transformer=transformer,
        unconditional_transformer=unconditional, tokenizer=Processor(qwen_tokenizer()).tokenizer,
        text_encoder=qwen3_vl_text("Qwen3VLModel", num_layers=36),
    )  # fmt: skip


def nucleus(name: str) -> Any:
    torch.manual_seed(4)
    transformer = diffusers.NucleusMoEImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=5, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(8, 4, 4), mlp_ratio=2.0, num_experts=2, moe_intermediate_dim=16,
        capacity_factors=1.0,
    ).eval()  # fmt: skip
    with torch.no_grad():  # the experts are left uninitialised by diffusers
        for weight in transformer.parameters():
            if weight.ndim == 3:
                weight.normal_(std=0.2)
    return getattr(diffusers, name)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=qwen_image_vae(),
        text_encoder=qwen3_vl_text("Qwen3VLForConditionalGeneration", num_layers=8), transformer=transformer,
        processor=Processor(qwen_tokenizer()),
    )  # fmt: skip


def stable_unclip(name: str) -> Any:
    network = unet(
        cross_attention_dim=32, attention_head_dim=(2, 4), class_embed_type="projection",
        projection_class_embeddings_input_dim=64, use_linear_projection=True,
    )  # fmt: skip
    normalizer = StableUnCLIPImageNormalizer(embedding_dim=32)
    return getattr(diffusers, name)(
        feature_extractor=None, image_encoder=image_encoder(), image_normalizer=normalizer.eval(), unet=network,
        image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"), vae=vae(),
        tokenizer=clip_tokenizer(), text_encoder=clip_text(),
        scheduler=diffusers.DDIMScheduler(**SD_BETAS, clip_sample=False, set_alpha_to_one=False),
    )  # fmt: skip


def image_encoder() -> Any:
    config = transformers.CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=1, num_attention_heads=4, image_size=32, patch_size=8,
        intermediate_size=32,
    )  # fmt: skip
    return transformers.CLIPVisionModelWithProjection(config).eval()


def bria_fibo(name: str) -> Any:
    torch.manual_seed(3)
    text = transformers.SmolLM3Config(
        vocab_size=128001, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, pad_token_id=0,
    )  # fmt: skip  # the empty prompt is token 128000
    torch.manual_seed(4)
    transformer = diffusers.BriaFiboTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=32, text_encoder_dim=16, axes_dims_rope=[0, 4, 4],
    ).eval()  # fmt: skip
    return getattr(diffusers, name)(
        transformer=transformer, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=wan_vae(),
        text_encoder=loud(transformers.SmolLM3ForCausalLM(text)), tokenizer=qwen_tokenizer(),
    )  # fmt: skip


FAMILIES: dict[Callable[[str], Any], tuple[str, ...]] = {
    kolors: ("KolorsPipeline", "KolorsImg2ImgPipeline", "KolorsPAGPipeline"),
    hunyuan_image: ("HunyuanImagePipeline",),
    hidream: ("HiDreamImagePipeline",),
    kandinsky_5: ("Kandinsky5T2IPipeline",),
    qwen_image_2: ("QwenImage21Pipeline",),
    krea_2: ("Krea2Pipeline",),
    cosmos_2: ("Cosmos2TextToImagePipeline",),
    ideogram_4: ("Ideogram4Pipeline",),
    bria_fibo: ("BriaFiboPipeline",),
    nucleus: ("NucleusMoEImagePipeline",),
    stable_unclip: ("StableUnCLIPImg2ImgPipeline",),
}
