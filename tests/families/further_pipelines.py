"""Parts of tiny pipelines beside `conftest`'s: families of later date."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers
from torch.nn import Module


def glm_text() -> Any:
    torch.manual_seed(3)
    config = transformers.GlmConfig(
        vocab_size=80, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=1024, pad_token_id=0,
    )  # fmt: skip
    encoder = transformers.GlmModel(config).eval()
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(std=1.0)
    return encoder


def mistral_text() -> Any:
    torch.manual_seed(3)
    text = {
        "model_type": "mistral", "vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 1024,
    }  # fmt: skip
    sight = {
        "model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "head_dim": 8, "image_size": 32, "patch_size": 16,
    }  # fmt: skip
    config = transformers.Mistral3Config(text_config=text, vision_config=sight, image_token_index=290)
    encoder = transformers.Mistral3ForConditionalGeneration(config).eval()
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(std=1.0)
    return encoder


class Processor:
    """What pipelines use of a processor of transformers, which cannot be imported without torchvision."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|image_pad|>"]})
        tokenizer.chat_template = (
            "{% for message in messages %}<{{ message['role'] }}>"
            "{% if message['content'] is string %}{{ message['content'] }}"
            "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}{% endfor %}"
        )

    def __call__(self, text: Any, images: Any = None, videos: Any = None, **options: Any) -> Any:
        return self.tokenizer(text, **options)

    def apply_chat_template(self, conversations: Any, **options: Any) -> Any:
        made = self.tokenizer.apply_chat_template(conversations, **options)
        return [made] if made and isinstance(made[0], int) else made  # a processor makes a batch of one conversation

    def decode(self, ids: Any, **options: Any) -> str:
        return str(self.tokenizer.decode(ids, **options))


def cog_view_3_transformer() -> Module:
    torch.manual_seed(4)
    return diffusers.CogView3PlusTransformer2DModel(
        patch_size=2, in_channels=4, num_layers=1, attention_head_dim=4, num_attention_heads=4, out_channels=4,
        text_embed_dim=32, time_embed_dim=8, condition_dim=2, pos_embed_max_size=8, sample_size=8,
    ).eval()  # fmt: skip


def cog_view_4_transformer(in_channels: int = 4) -> Module:
    torch.manual_seed(4)
    return diffusers.CogView4Transformer2DModel(
        patch_size=2, in_channels=in_channels, num_layers=2, attention_head_dim=4, num_attention_heads=4,
        out_channels=4, text_embed_dim=32, time_embed_dim=8, condition_dim=4,
    ).eval()  # fmt: skip


def lumina_transformer() -> Module:
    torch.manual_seed(4)
    return diffusers.LuminaNextDiT2DModel(
        sample_size=4, patch_size=2, in_channels=4, hidden_size=24, num_layers=2, num_attention_heads=3,
        num_kv_heads=1, multiple_of=16, learn_sigma=True, qk_norm=True, cross_attention_dim=8,
    ).eval()  # fmt: skip


def kandinsky_3_unet() -> Module:
    torch.manual_seed(4)
    return diffusers.Kandinsky3UNet(
        in_channels=4, time_embedding_dim=4, groups=2, attention_head_dim=4, layers_per_block=3,
        block_out_channels=(32, 64), cross_attention_dim=4, encoder_hid_dim=32,
    ).eval()  # fmt: skip


def movq() -> Module:
    torch.manual_seed(1)
    return diffusers.VQModel(
        block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"], in_channels=3,
        latent_channels=4, layers_per_block=1, norm_num_groups=8, norm_type="spatial", num_vq_embeddings=12,
        out_channels=3, up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"], vq_embed_dim=4,
    ).eval()  # fmt: skip


def bria_transformer() -> Module:
    torch.manual_seed(4)
    return diffusers.BriaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=None, axes_dims_rope=[0, 4, 4],
    ).eval()  # fmt: skip


def bert_tokenizer() -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-'"
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    return transformers.BertTokenizer(vocab={name: i for i, name in enumerate(names)}, model_max_length=77)


def bert_text() -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=77,
    )  # fmt: skip
    encoder = transformers.BertModel(config).eval()
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(std=1.0)
    return encoder


def hunyuan_dit_transformer() -> Module:
    torch.manual_seed(4)
    return diffusers.HunyuanDiT2DModel(
        sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=3, hidden_size=24,
        in_channels=4, cross_attention_dim=32, cross_attention_dim_t5=32, pooled_projection_dim=16,
    ).eval()  # fmt: skip


def ovis_image_transformer() -> Module:
    torch.manual_seed(4)
    return diffusers.OvisImageTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=2, num_single_layers=2, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(4, 4, 8),
    ).eval()  # fmt: skip


def deep_floyd_unet(in_channels: int = 3) -> Module:
    torch.manual_seed(2)
    return diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=in_channels, out_channels=6,
        norm_num_groups=8, down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), cross_attention_dim=32,
        encoder_hid_dim=32, encoder_hid_dim_type="text_proj", attention_head_dim=8, addition_embed_type="text",
        addition_embed_type_num_heads=2, cross_attention_norm="group_norm", resnet_time_scale_shift="scale_shift",
        act_fn="gelu", time_embedding_type="positional",
    ).eval()  # fmt: skip


def depth_estimator() -> Module:
    """A part that Depth2Img must have; it is not asked where the call brings a map."""
    config = transformers.DPTConfig(
        hidden_size=8, num_hidden_layers=4, num_attention_heads=2, intermediate_size=8, image_size=32, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
    )  # fmt: skip
    return transformers.DPTForDepthEstimation(config).eval()
