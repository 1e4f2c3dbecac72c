"""The quick way to pool, and when it is not taken."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoTokenizer, BertModel, CLIPTextConfig, CLIPTextModel

from counterpoint.detectors.bert_text import BertText, quick_text
from counterpoint.embedded import embedded_model_path
from counterpoint.text_space import EncoderText

TEXTS = ["knife", "a lantern in a dark forest", "fork and knife", "word " * 60, "\u0301"]


@pytest.fixture
def text() -> EncoderText:
    folder = embedded_model_path()
    encoder = BertModel.from_pretrained(f"{folder}/text_encoder", dtype=torch.float32).eval().requires_grad_(False)
    return EncoderText(AutoTokenizer.from_pretrained(f"{folder}/tokenizer"), encoder)


def test_it_pools_as_the_text_space_does(text: EncoderText) -> None:
    quick = quick_text(text)
    assert isinstance(quick, BertText)
    expected = text.pooled(TEXTS)
    torch.testing.assert_close(quick.pooled(TEXTS), expected, atol=1e-5, rtol=0.0)
    assert not expected[-1].any()  # a text without a token of its own means nothing, here as there


def test_other_encoders_read_for_themselves(text: EncoderText) -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    clip = EncoderText(text.tokenizer, CLIPTextModel(CLIPTextConfig(vocab_size=40000, **sizes)))
    assert quick_text(clip) is clip
    text.encoder.to(torch.bfloat16)
    assert quick_text(text) is text


def test_an_encoder_that_says_something_else_than_its_weights_reads_for_itself(text: EncoderText) -> None:
    layer = text.encoder.encoder.layer[0].intermediate.dense
    layer.register_forward_hook(lambda module, args, output: output + 0.5)  # as an adapter does
    assert quick_text(text) is text
