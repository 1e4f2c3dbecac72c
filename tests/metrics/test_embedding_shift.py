"""Second-order statistics: the definitions, and an edited model against an untouched one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.denoiser_reading import can_be_read, readings
from counterpoint.metrics.embedding_shift import covariance_shift, mean_shift, products, shift

PROMPTS = [f"a {who} with a {what}" for who in ("man", "chef", "cat") for what in ("apple", "book", "ball", "flower")]


def test_the_products_give_the_definitions() -> None:
    rng = torch.Generator().manual_seed(0)
    plain = torch.randn(40, 7, generator=rng, dtype=torch.float64)
    edited = plain * torch.linspace(0.5, 2.0, 7) + torch.randn(40, 7, generator=rng, dtype=torch.float64) + 0.3
    before, after = torch.cov(plain.T), torch.cov(edited.T)
    wanted_mean = (edited.mean(0) - plain.mean(0)).norm() / before.trace().sqrt()
    wanted_covariance = (after - before).norm() / before.norm()
    pair = products(edited, plain)
    assert mean_shift(pair) == pytest.approx(wanted_mean.item(), rel=1e-9)
    assert covariance_shift(pair) == pytest.approx(wanted_covariance.item(), rel=1e-9)


def test_the_same_readings_do_not_shift() -> None:
    plain = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    same = shift([plain, plain], [plain, plain])
    for figure in (same.mean, same.covariance):
        assert (figure.value, figure.low, figure.high, figure.n) == (0.0, 0.0, 0.0, 30)


def test_the_interval_holds_the_value_of_a_plain_scaling() -> None:
    plain = torch.randn(60, 5, generator=torch.Generator().manual_seed(1))
    doubled = shift([2.0 * plain], [plain])  # C' = 4 C
    assert doubled.covariance.value == pytest.approx(3.0)
    assert doubled.covariance.low <= 3.0 + 1e-6 and doubled.covariance.high >= 3.0 - 1e-6


def test_the_interval_covers_the_true_shift_about_as_often_as_it_says() -> None:
    """Rows and their edited copies are drawn from one known distribution, whose shift is that of a large sample."""
    rng = torch.Generator().manual_seed(2)
    scale = torch.linspace(0.7, 1.3, 6, dtype=torch.float64)

    def pair(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        plain = torch.randn(count, 6, generator=rng, dtype=torch.float64)
        return plain * scale + 0.3 * torch.randn(count, 6, generator=rng, dtype=torch.float64), plain

    wanted = covariance_shift(products(*pair(6000)))
    found = [shift([edited], [plain]).covariance for edited, plain in (pair(60) for _ in range(40))]
    assert all(figure.low <= figure.value <= figure.high for figure in found)
    assert 30 <= sum(figure.low <= wanted <= figure.high for figure in found) <= 40


def test_the_interval_holds_the_value_where_a_bootstrap_would_miss_it() -> None:
    rng = torch.Generator().manual_seed(0)
    plain = torch.randn(40, 200, generator=rng, dtype=torch.float64)  # fewer prompts than places, as in a denoiser
    edited = plain + 0.5 * torch.randn(40, 200, generator=rng, dtype=torch.float64)
    for figure in (shift([edited], [plain]).covariance, shift([edited], [plain]).mean):
        assert figure.low < figure.value < figure.high


def test_readings_that_do_not_match_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two rows"):
        products(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(InvalidInput, match="readings"):
        products(torch.zeros(4, 3), torch.zeros(5, 3))
    with pytest.raises(InvalidInput, match="at least 4"):
        shift([torch.eye(3)], [torch.eye(3)])


def test_editing_the_denoiser_or_the_encoder_shows(tiny_pipe: Any) -> None:
    assert can_be_read(tiny_pipe)
    plain = readings(tiny_pipe, PROMPTS)
    assert all(len(place) == len(PROMPTS) for place in plain)
    assert shift(readings(tiny_pipe, PROMPTS), plain).covariance.value == 0.0
    original = copy.deepcopy(tiny_pipe.unet.state_dict())
    with torch.no_grad():
        for name, weight in tiny_pipe.unet.named_parameters():
            if name.endswith("attn2.to_v.weight"):
                weight.mul_(1.5)
    assert shift(readings(tiny_pipe, PROMPTS), plain).covariance.value > 0.1
    tiny_pipe.unet.load_state_dict(original)
    with torch.no_grad():
        tiny_pipe.text_encoder.embeddings.word_embeddings.weight.mul_(1.5)
    assert shift(readings(tiny_pipe, PROMPTS), plain).mean.value > 0.01


def test_a_pipeline_without_cross_attention_is_not_read() -> None:
    assert not can_be_read(object())
