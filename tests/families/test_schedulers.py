"""Schedulers of other kinds than a family's own; `schedulers.py` tries all of them in all families."""

from __future__ import annotations

import diffusers
import pytest
import torch
from schedulers import FAILS, NOT_ITS_OWN, PASSES, REFUSED, candidates, outcome, page, pipelines

from counterpoint.engines import fused, mixed_rows

PAIRS = (
    ("StableDiffusionXLPipeline", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    ("StableDiffusionXLPipeline", "EulerAncestralDiscreteScheduler", {}),
    ("StableDiffusion3Pipeline", "FlowMatchHeunDiscreteScheduler", {}),
    ("StableDiffusion3Pipeline", "UniPCMultistepScheduler", {}),
    ("StableDiffusion3Pipeline", "FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
    ("PixArtAlphaPipeline", "HeunDiscreteScheduler", {}),
    ("PixArtAlphaPipeline", "SASolverScheduler", {}),
    ("SanaPipeline", "DPMSolverMultistepScheduler", {}),
    ("WanPipeline", "FlowMatchEulerDiscreteScheduler", {}),
    ("WanPipeline", "FlowMatchLCMScheduler", {}),
    ("HunyuanDiTPipeline", "KDPM2AncestralDiscreteScheduler", {}),
    ("Kandinsky3Pipeline", "DDIMScheduler", {}),
)


@pytest.mark.parametrize(("name", "scheduler", "options"), PAIRS)
def test_the_engine_mixes_with_other_schedulers(name: str, scheduler: str, options: dict[str, object]) -> None:
    found = outcome(name, scheduler, options)
    assert (found.result, found.reason) == (PASSES, "")


def test_a_wrong_mix_fails_and_a_safe_stream_that_stands_still_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("StableDiffusionPipeline", "DDIMScheduler", {})
    with monkeypatch.context() as patched:
        patched.setattr(fused.Conditioning, "find", lambda self, arguments: [])
        found = outcome(*pair)
        assert found.result == REFUSED and "did not run" in found.reason
    with monkeypatch.context() as patched:
        lerp = torch.lerp
        patched.setattr(mixed_rows, "mix", lambda original, safe, weight, *more: lerp(original, safe, 0.5 * weight))
        assert outcome(*pair).result == FAILS


def test_a_scheduler_that_the_pipeline_cannot_draw_with_does_not_count() -> None:
    found = outcome("StableDiffusionPipeline", "FlowMatchEulerDiscreteScheduler", {})
    assert found.result == NOT_ITS_OWN and "init_noise_sigma" in found.reason
    assert "| `StableDiffusionPipeline` | 0 | 0 |" in page([found])


def test_all_of_them_are_tried() -> None:
    names = {name for name, _ in candidates()}
    assert {"DDIMScheduler", "FlowMatchEulerDiscreteScheduler", "SCMScheduler"} <= names and len(names) > 40
    assert all(hasattr(diffusers, name) for name in names | {*pipelines()})
