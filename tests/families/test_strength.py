"""A start picture that is kept in part: the call takes fewer steps, and tau is a part of those that are taken."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
from claims import CLASSES, also
from oracle import distance, oracle
from test_conformance import SAFE, UNSAFE, guard, run

from counterpoint.interfaces import SafetyFailure
from counterpoint.mixing import MixingSchedule

PARTIAL = [name for name in CLASSES if "strength" in inspect.signature(getattr(diffusers, name).__call__).parameters]
HALF, FULL = MixingSchedule(weight=0.6, tau=0.5), MixingSchedule(weight=1.0)
Build = Callable[[str], Any]


@also("a strength below 1", *PARTIAL)
def test_a_strength_below_one(build: Build, name: str) -> None:
    pipe = build(name)
    few: dict[str, Any] = {"num_inference_steps": 8, "strength": 0.5}
    original, plain = run(pipe, name, UNSAFE, **few)[0], run(pipe, name, SAFE, **few)[0]
    assert distance(run(guard(pipe, schedule=FULL), name, UNSAFE, **few)[0], plain) <= 1e-3 * distance(original, plain)
    latents, output = run(guard(pipe, schedule=HALF), name, UNSAFE, **few)
    num_steps = pipe.num_timesteps
    keeps_all = name == "LatentConsistencyModelImg2ImgPipeline"  # its strength shortens the schedule, not the loop
    assert num_steps == 8 if keeps_all else num_steps < 8
    assert output.safety[0].steps_mixed == num_steps // 2
    expected = oracle(pipe, lambda prompt: run(pipe, name, prompt, **few)[0], UNSAFE, SAFE, HALF, num_steps)
    assert distance(latents, expected) <= 5e-3 * distance(original, expected)


@pytest.mark.parametrize("name", ["StableDiffusionImg2ImgPipeline"])
def test_a_strength_that_leaves_no_step_returns_no_picture(build: Build, name: str) -> None:
    with pytest.raises(SafetyFailure, match="never called its denoiser"):
        run(guard(build(name)), name, UNSAFE, num_inference_steps=4, strength=0.1)
