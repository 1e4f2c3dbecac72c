"""The equation and its schedule."""

from __future__ import annotations

import pytest
import torch

from counterpoint.interfaces import InvalidInput
from counterpoint.mixing import MixingSchedule, Ramp, mix


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (2, 16, 12)])
def test_both_ends_are_exact(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    z, s = torch.randn(shape).to(dtype), torch.randn(shape).to(dtype)
    torch.testing.assert_close(mix(z, s, 0.0), z, rtol=0, atol=0)
    torch.testing.assert_close(mix(z, s, 1.0), s, rtol=0, atol=0)


def test_between_the_ends_it_is_the_weighted_sum() -> None:
    z, s = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(mix(z, s, 0.3), 0.7 * z + 0.3 * s)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_its_range_is_refused(weight: float) -> None:
    with pytest.raises(InvalidInput, match="weight"):
        mix(torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2), weight)
    with pytest.raises(InvalidInput, match="weight"):
        MixingSchedule(weight=weight)


def test_streams_of_different_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match="safe_latents"):
        mix(torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 3), 0.5)


@pytest.mark.parametrize("tau", [0.0, 0.1, 0.25, 0.5, 0.99])
@pytest.mark.parametrize("ramp", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("num_steps", [1, 7, 25, 50])
def test_nothing_is_mixed_before_tau_and_the_ramp_ends_at_the_weight(tau: float, ramp: Ramp, num_steps: int) -> None:
    schedule = MixingSchedule(weight=0.8, tau=tau, ramp=ramp)
    weights = [schedule.weight_at(step, num_steps) for step in range(num_steps)]
    context = tau if tau * num_steps >= 1.0 else 0.0  # of less than one step there is none
    assert all((weight == 0.0) == (step / num_steps < context) for step, weight in enumerate(weights[:-1]))
    assert weights == sorted(weights)
    assert weights[-1] == pytest.approx(0.8)  # at any tau below 1, one step included
    assert schedule.weight_at(num_steps, num_steps) == 0.0


def test_the_first_of_few_steps_is_mixed() -> None:
    """In two steps the first decides nearly all of the picture: mixing the second alone would steer nothing."""
    for num_steps, tau, first in ((2, 0.2, 0), (4, 0.2, 0), (5, 0.2, 1), (9, 0.1, 0), (10, 0.1, 1), (2, 0.5, 1)):
        schedule = MixingSchedule(weight=0.8, tau=tau)
        assert [schedule.weight_at(step, num_steps) > 0.0 for step in range(num_steps)].index(True) == first


def test_tau_one_never_mixes() -> None:
    assert not any(MixingSchedule(weight=1.0, tau=1.0).weight_at(step, 20) for step in range(20))
