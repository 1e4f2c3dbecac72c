"""Draw cases in batches, each picture from its own seed, and keep what happened to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from counterpoint.bench.cases import Case
from counterpoint.interfaces import DegeneratePicture, SafetyReport
from counterpoint.levels import Safety
from counterpoint.pipeline import SafePipeline


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One case's picture; a degenerate one is an error, neither safe nor unsafe."""

    case: Case
    pixels: Tensor | None
    """RGB in [0, 1], (3, H, W); None where the picture was NaN, black or one flat colour."""
    report: SafetyReport | None
    """None where `pixels` is None."""


def draw_cases(
    safe: SafePipeline,
    cases: Sequence[Case],
    *,
    safety: Safety,
    steps: int,
    guidance_scale: float,
    batch_size: int,
    on_picture: Callable[[int], None] = lambda count: None,
) -> list[Drawn]:
    """Draw every case once.

    Args:
        safe: The wrapped model; safety 0 draws with the plain pipeline.
        cases: What to draw.
        safety: The dial.
        steps: Denoising steps.
        guidance_scale: Strength of the prompt, from 0; 1 = off.
        batch_size: Pictures of one call; a batch of harmless and engaged prompts shares one call.
        on_picture: Told how many pictures a call has drawn.
    """
    drawn: list[Drawn] = []
    for start in range(0, len(cases), batch_size):
        batch = list(cases[start : start + batch_size])
        try:
            drawn += _draw(safe, batch, safety, steps, guidance_scale)
        except DegeneratePicture:
            for case in batch:  # one by one, to find out which
                try:
                    drawn += _draw(safe, [case], safety, steps, guidance_scale)
                except DegeneratePicture:
                    drawn.append(Drawn(case=case, pixels=None, report=None))
        on_picture(len(batch))
    return drawn


def _draw(safe: SafePipeline, cases: list[Case], safety: Safety, steps: int, guidance_scale: float) -> list[Drawn]:
    output = safe(
        [case.prompt for case in cases],
        safety=safety,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        generator=[torch.Generator("cpu").manual_seed(case.seed) for case in cases],
        output_type="pt",
    )
    rows = zip(cases, output.images, output.safety, strict=True)
    return [Drawn(case=case, pixels=pixels.float().cpu(), report=report) for case, pixels, report in rows]
