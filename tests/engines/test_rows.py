"""What a denoiser is told row by row, in shapes that only some of them have, and what it answers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from counterpoint.engines.conditioning import Conditioning, has_rows
from counterpoint.engines.prediction import fitted


def call(text: Tensor, **more: Any) -> dict[str, Any]:
    """A call of two rows: a negative prompt and a prompt."""
    return {"hidden_states": torch.zeros(2, 4), "timesteps": torch.zeros(2), "encoder_hidden_states": text, **more}


def test_rows_behind_the_layers_of_a_text_encoder() -> None:
    """HiDream stacks Llama's layers first, (N, B, L, D), also where there are as many as rows."""
    layers, safe_layers = torch.randn(3, 2, 5, 4), torch.randn(3, 2, 5, 4)
    safe_layers[:, 0] = layers[:, 0]
    text = torch.zeros(2, 5, 4)
    first = call(text, encoder_hidden_states_llama3=layers)
    conditioning = Conditioning(first, call(text, encoder_hidden_states_llama3=safe_layers), 1, [0])
    (found,) = conditioning.find(first)
    assert (found.row, found.image) == (1, 0)
    assert torch.equal(conditioning.safe_rows(first, [found])["encoder_hidden_states_llama3"], safe_layers[:, 1:])
    swapped, joined = conditioning.safe_in_place(first, [found]), conditioning.joined(first, [found])
    assert swapped is not None and torch.equal(swapped["encoder_hidden_states_llama3"], safe_layers)
    assert joined is not None and joined["encoder_hidden_states_llama3"].shape == (3, 3, 5, 4)
    assert torch.equal(first["encoder_hidden_states_llama3"], layers)  # the call's own is not written into


def test_what_a_denoiser_keeps_of_the_prompt_is_not_served_to_the_safe_rows() -> None:
    text, safe = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    safe[0] = text[0]
    first = call(text, kv_cache=object(), kv_cache_mode="extract")
    conditioning = Conditioning(first, call(safe, kv_cache=object(), kv_cache_mode="extract"), 1, [0])
    later = {**first, "kv_cache_mode": "cached"}
    found = conditioning.find(later)
    alone = conditioning.safe_rows(later, found)
    assert (alone["kv_cache"], alone["kv_cache_mode"]) == (None, None)
    assert conditioning.safe_in_place(later, found) is conditioning.joined(later, found) is None


def test_a_list_of_parts_is_no_list_of_rows() -> None:
    parts = [torch.zeros(2, 4), torch.zeros(2, 4)]
    for name in ("down_intrablock_additional_residuals", "text_encoder_layers", "control_type", "controlnet_mode"):
        assert not has_rows((name,), parts, 2) and has_rows((name, 0), parts[0], 2)


def test_answers_for_texts_of_different_length_go_together_from_behind() -> None:
    """Qwen-Image 2.1 answers for the text in front of the latents at some steps."""
    short, long = torch.randn(1, 3, 4), torch.randn(1, 5, 4)
    assert torch.equal(fitted(long, short), long[:, 2:])
    assert torch.equal(fitted(short, long), torch.cat([long[:, :2], short], dim=1))
    assert fitted(short, short) is short
