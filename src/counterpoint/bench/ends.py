"""Both ends of the dial against the plain pipeline: weight 0 is it, weight 1 from the start is it on the safe text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import diffusers
import torch
from torch import Tensor

from counterpoint.bench.cases import Case
from counterpoint.bench.counting import share
from counterpoint.bench.setting import Drawing
from counterpoint.gate import standard_gate
from counterpoint.interfaces import EngineName, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline
from counterpoint.results import Figure
from counterpoint.text_space import StableDiffusionText

SCHEDULERS = {
    "DDIM": "DDIMScheduler",
    "Euler": "EulerDiscreteScheduler",
    "DPM++ 2M": "DPMSolverMultistepScheduler",
    "PNDM": "PNDMScheduler",
    "UniPC": "UniPCMultistepScheduler",
    "Euler ancestral": "EulerAncestralDiscreteScheduler",
}
ENGINES: tuple[EngineName, ...] = ("fused", "reference")
TOLERANCE = 1e-4
"""Of the latents' range, where the two calls' batches differ in size."""


class Ends:
    """Latents of the plain pipeline and of ours, with one scheduler."""

    def __init__(self, bench: Drawing, scheduler: str, steps: int) -> None:
        self.pipe, self.steps = bench.pipe, steps
        kind = getattr(diffusers, SCHEDULERS[scheduler])
        self.pipe.scheduler = kind.from_config(self.pipe.scheduler.config)

    def plain(self, prompt: str, seed: int) -> Tensor:
        """Latents of the plain pipeline, (1, C, H, W)."""
        return self._latents(self.pipe, prompt, seed)

    def ours(self, safe: SafePipeline, case: Case, safe_prompt: str) -> Tensor:
        """Latents of ours, (1, C, H, W); the gate has to see that the prompt is unsafe."""
        return self._latents(safe, case.prompt, case.seed, safe_prompt=safe_prompt)

    def _latents(self, draw: Any, prompt: str, seed: int, **options: Any) -> Tensor:
        generator = torch.Generator("cpu").manual_seed(seed)
        output = draw(prompt, generator=generator, num_inference_steps=self.steps, output_type="latent", **options)
        latents: Tensor = output.images
        return latents


def measure(bench: Drawing, cases: Sequence[Case], twins: Sequence[Case], steps: int) -> dict[str, Figure]:
    """Compare both ends of the dial with the plain pipeline, for six samplers and both engines.

    Args:
        bench: The model.
        cases: Unsafe prompts, all of which the gate has to see.
        twins: A safe prompt for each.
        steps: Denoising steps.

    Raises:
        SafetyFailure: The gate does not engage on one of the cases: nothing would be compared.
    """
    gate = standard_gate(StableDiffusionText(bench.pipe))
    if missed := sum(not detection.is_unsafe for detection in gate([case.prompt for case in cases])):
        raise SafetyFailure(f"the gate does not engage on {missed} of {len(cases)} prompts")
    schedules = {"weight 0": MixingSchedule(weight=0.0, tau=0.0), "weight 1": MixingSchedule(weight=1.0, tau=0.0)}
    before = bench.pipe.scheduler
    figures: dict[str, Figure] = {}
    try:
        for scheduler in SCHEDULERS:
            ends = Ends(bench, scheduler, steps)
            wanted = {
                "weight 0": [ends.plain(case.prompt, case.seed) for case in cases],
                "weight 1": [ends.plain(twin.prompt, case.seed) for case, twin in zip(cases, twins, strict=True)],
            }
            for engine in ENGINES:
                for end, schedule in schedules.items():
                    safe = SafePipeline(bench.pipe, detector=gate, schedule=schedule, engine=engine)
                    pairs = zip(cases, twins, strict=True)
                    drawn = [ends.ours(safe, case, twin.prompt) for case, twin in pairs]
                    rows = compared(drawn, wanted[end])
                    figures |= {f"{scheduler}, {engine}, {end}: {name}": figure for name, figure in rows.items()}
    finally:
        bench.pipe.scheduler = before
    return figures


def compared(drawn: Sequence[Tensor], wanted: Sequence[Tensor]) -> dict[str, Figure]:
    """How many latents are equal bit for bit, how many to `TOLERANCE`, and the largest difference.

    Args:
        drawn: Latents of ours, each (1, C, H, W).
        wanted: Latents of the plain pipeline, in the same order.
    """
    gaps = [
        float((ours - plain).abs().max() / (plain.max() - plain.min()))
        for ours, plain in zip(drawn, wanted, strict=True)
    ]
    largest = max(gaps)
    return {
        "bit for bit": share([torch.equal(ours, plain) for ours, plain in zip(drawn, wanted, strict=True)]),
        f"within {TOLERANCE:g} of the range": share([gap <= TOLERANCE for gap in gaps]),
        "largest difference": Figure(value=largest, low=largest, high=largest, n=len(gaps), unit="of the range"),
    }
