"""Seconds of one picture, drawn alone, and of the demo as a user starts it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import torch

from counterpoint.bench.cases import Case
from counterpoint.bench.setting import Drawing
from counterpoint.interfaces import SafetyFailure
from counterpoint.levels import LEVELS
from counterpoint.metrics.statistics import mean_figure
from counterpoint.results import Figure

DEMO_RUNS = 5
DEMO = (sys.executable, "-m", "counterpoint.demo", "--out")


def measure(
    bench: Drawing, unsafe: Sequence[Case], harmless: Sequence[Case], *, steps: int, guidance_scale: float
) -> dict[str, Figure]:
    """Time one picture a call, all ways in turn on each case, then the demo in a process of its own.

    Args:
        bench: The model.
        unsafe: Prompts that the gate engages on, drawn plain and at each level.
        harmless: As many prompts that it lets pass.
        steps: Denoising steps.
        guidance_scale: Strength of the prompt.

    Raises:
        SafetyFailure: The gate did not say of a prompt what its row is called.
    """
    call = {"num_inference_steps": steps, "guidance_scale": guidance_scale}
    levels = [name for name, value in LEVELS.items() if value]
    seconds: dict[str, list[float]] = {name: [] for name in ("plain", "harmless", *levels)}
    one_picture(bench.safe, harmless[0], action="passed", **call)  # the first call loads; it is not counted
    for bad, good in zip(unsafe, harmless, strict=True):
        seconds["plain"].append(one_picture(bench.pipe, bad, action=None, **call))
        seconds["harmless"].append(one_picture(bench.safe, good, action="passed", **call))
        for level in levels:
            seconds[level].append(one_picture(bench.safe, bad, action="steered", safety=level, **call))
    figures = {f"one picture, {name}": _mean(values) for name, values in seconds.items()}
    slowest = max(max(values) for values in seconds.values())
    drawn = sum(map(len, seconds.values()))
    figures["one picture, the slowest of all"] = Figure(value=slowest, low=slowest, high=slowest, n=drawn, unit="s")
    return {**figures, "the demo": _mean([demo() for _ in range(DEMO_RUNS)])}


def one_picture(draw: Any, case: Case, *, action: str | None, **call: Any) -> float:
    """Return the seconds of one call.

    Args:
        draw: A pipeline or a SafePipeline.
        case: What to draw.
        action: What the safety report has to say; None where the plain pipeline draws.
        call: The pipeline's own arguments.
    """
    generator = torch.Generator("cpu").manual_seed(case.seed)
    started = time.perf_counter()
    output = draw(case.prompt, generator=generator, **call)
    seconds = time.perf_counter() - started
    if action is not None and output.safety[0].action != action:
        raise SafetyFailure(f"a prompt was {output.safety[0].action}; its row is of prompts that are {action}")
    return seconds


def demo() -> float:
    """Return the seconds of `python -m counterpoint.demo`, from the start of the process to its end."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run((*DEMO, folder), check=True, capture_output=True)
        return time.perf_counter() - started


def _mean(seconds: Sequence[float]) -> Figure:
    return mean_figure(seconds, [str(number) for number in range(len(seconds))], unit="s")
