"""SAFREE's algebra: projections, toxic tokens, the filter's length, and the Fourier damping."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from counterpoint.methods.safree import (
    Options,
    Safree,
    damp_low_frequencies,
    filtered_steps,
    span_projection,
    toxic_tokens,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_projection_keeps_its_span_and_nothing_else() -> None:
    vectors, others = random(3, 8), random(5, 8, seed=1)
    projection = span_projection(vectors)
    assert torch.allclose(projection @ projection, projection)
    assert torch.allclose(projection, projection.T)
    assert torch.allclose(vectors @ projection, vectors)
    assert (others - others @ projection).matmul(vectors.T).abs().max() < 1e-10


def test_dependent_vectors_span_no_more_than_they_do() -> None:
    vectors = random(2, 8)
    again = torch.cat([vectors, vectors.sum(0, keepdim=True)])
    assert torch.allclose(span_projection(vectors), span_projection(again))


def test_a_token_is_toxic_where_the_prompt_without_it_leaves_the_concept() -> None:
    concept = span_projection(torch.tensor([[1.0, 0.0, 0.0]]))
    masked = torch.tensor([[1.0, 0.1, 0.0], [0.2, 1.0, 0.0], [1.0, 0.0, 0.1]])  # without token 1 little of it is left
    assert toxic_tokens(masked, concept, 0.01).tolist() == [False, True, False]
    assert toxic_tokens(masked, concept, 100.0).tolist() == [False, False, False]
    assert toxic_tokens(masked[:1], concept, 0.01).tolist() == [True]


def test_the_filter_lasts_the_longer_the_more_it_changes() -> None:
    assert [filtered_steps(similarity, 10) for similarity in (1.0, 0.5, 0.4667, 0.4, 0.0)] == [0, 2, 5, 10, 10]


def test_filtered_tokens_hold_nothing_of_the_concepts(tiny_pipe: Any) -> None:
    method = Safree(tiny_pipe, Options(concepts=("knife", "sword")))
    prompt = "a chef with a knife in a room"
    embeds, words = method.reader.encode([prompt])
    filtered, similarity = method.filter(prompt, embeds[0])
    changed = (filtered != embeds[0]).any(1)
    assert 0 < changed.sum() < words.sum()
    assert not changed[~words[0]].any()  # special tokens and padding stay
    off = filtered[changed].double() @ method.projection
    assert off.norm() < 1e-5 * embeds[0][changed].norm()
    assert -1.0 <= similarity < 1.0


def test_a_prompt_without_words_stays(tiny_pipe: Any) -> None:
    method = Safree(tiny_pipe, Options(concepts=("knife",)))
    embeds, _ = method.reader.encode([""])
    assert torch.equal(method.filter("", embeds[0])[0], embeds[0])


def test_only_low_frequencies_that_exceed_the_reference_are_damped() -> None:
    features, weaker = random(2, 3, 8, 8).float(), torch.zeros(2, 3, 8, 8) - 100
    assert torch.allclose(damp_low_frequencies(features, features, 0.2), features, atol=1e-6)
    assert torch.allclose(damp_low_frequencies(features, weaker, 1.0), features, atol=1e-6)
    constant = torch.ones(1, 1, 8, 8)
    assert torch.allclose(damp_low_frequencies(constant, 0 * constant, 0.2), 0.2 * constant, atol=1e-6)
    assert torch.allclose(damp_low_frequencies(constant, 2 * constant, 0.2), constant, atol=1e-6)
    stripes = constant.clone()
    stripes[..., ::2] = -1
    assert torch.allclose(damp_low_frequencies(stripes, 0 * stripes, 0.2), stripes, atol=1e-6)


def picture(pipe: Any, **options: Any) -> Tensor:
    method = Safree(pipe, Options(concepts=("knife", "sword"), **options))
    (drawn,) = method(
        ["a chef with a knife in a room"], generators=[torch.Generator().manual_seed(0)], num_inference_steps=4
    )
    assert drawn.pixels is not None
    return drawn.pixels


@pytest.mark.parametrize("option", ["latent_reattention", "with_negative_prompt"])
def test_options_change_the_picture(tiny_pipe: Any, option: str) -> None:
    difference = picture(tiny_pipe, filtered_share=1.0, **{option: True}) - picture(tiny_pipe, filtered_share=1.0)
    assert difference.abs().max() > 1e-4


def test_a_longer_filter_is_another_picture(tiny_pipe: Any) -> None:
    short, long = (picture(tiny_pipe, filtered_share=share, self_validation=False) for share in (0.0, 1.0))
    assert (long - short).abs().max() > 1e-4


@pytest.mark.parametrize(("similarity", "self_validation", "last"), [(1.0, True, 0), (0.0, True, 2), (1.0, False, 2)])
def test_the_denoiser_hears_the_filtered_prompt_up_to_the_last_filtered_step(
    tiny_pipe: Any, monkeypatch: pytest.MonkeyPatch, similarity: float, self_validation: bool, last: int
) -> None:
    embeds = tiny_pipe.encode_prompt("a chef with a knife in a room", "cpu", 1, False)[0][0]
    safe = embeds + 1.0
    monkeypatch.setattr(Safree, "filter", lambda self, prompt, embeds: (safe, similarity))
    heard: list[bool] = []

    def listen(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        row = kwargs["encoder_hidden_states"][-1]
        assert torch.equal(row, safe) or torch.equal(row, embeds)
        heard.append(torch.equal(row, safe))

    handle = tiny_pipe.unet.register_forward_pre_hook(listen, with_kwargs=True)
    picture(tiny_pipe, filtered_share=0.5, self_validation=self_validation)
    handle.remove()
    assert heard == [step <= last for step in range(4)]
