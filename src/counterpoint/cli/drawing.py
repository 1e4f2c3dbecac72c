"""Load a model, draw one picture, keep its record: what the drawing commands share."""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoint.calls import default_guidance, step_callback
from counterpoint.cli import options
from counterpoint.embedded import GUIDANCE_SCALE
from counterpoint.interfaces import InvalidInput, Point, SafetyReport
from counterpoint.loading import gate_for, load_pipe
from counterpoint.png import PictureRecord, prompt_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline
    from counterpoint.provenance.marking import Marking

DEFAULT_STEPS = 30


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is the same for all pictures of a command."""

    prompt: str
    safe_prompt: str | None
    steps: int
    model: str | None
    """Folder or hub name; None = the embedded model."""
    save_prompt: bool
    gate: Path | None = None
    """File of `counterpoint calibrate`; None = the standard gate."""
    point: Point = "balanced"
    """Working point of the gate's classifier."""
    guidance_scale: float | None = None
    """None = the pipeline's own default, or what suits the embedded model."""

    def __post_init__(self) -> None:
        """Check the fields before a model is loaded."""
        options.require_between("steps", self.steps, 1, options.MOST_STEPS)
        if not self.prompt.strip():
            raise InvalidInput("prompt", self.prompt, "a text that is not empty")
        if self.guidance_scale is not None and not 0.0 <= self.guidance_scale < float("inf"):
            raise InvalidInput("guidance_scale", self.guidance_scale, "a finite number from 0; 1 = off")
        if self.safe_prompt is not None and not self.safe_prompt.strip():
            raise InvalidInput("safe_prompt", self.safe_prompt, "a text that is not empty")

    @property
    def model_name(self) -> str:
        """The model's name for records: no more of a local path than its last part."""
        if self.model is None:
            return "embedded"
        return Path(self.model).resolve().name if os.path.exists(self.model) else self.model

    def guidance(self, pipe: Any) -> float:
        """Return the scale that the model is drawn with."""
        if self.guidance_scale is not None:
            return self.guidance_scale
        return GUIDANCE_SCALE if self.model is None else default_guidance(pipe)

    @property
    def call(self) -> dict[str, Any]:
        """Arguments of the pipeline that differ from its defaults."""
        scale = GUIDANCE_SCALE if self.guidance_scale is None and self.model is None else self.guidance_scale
        return {"num_inference_steps": self.steps} | ({} if scale is None else {"guidance_scale": scale})

    def record(self, pipe: Any, *, seed: int, **extra: Any) -> PictureRecord:
        """Return the record of a picture of this plan."""
        safe = self.safe_prompt
        return PictureRecord(
            prompt_sha256=prompt_sha256(self.prompt),
            seed=seed,
            steps=self.steps,
            guidance_scale=self.guidance(pipe),
            scheduler=type(pipe.scheduler).__name__,
            model=self.model_name,
            prompt=self.prompt if self.save_prompt else None,
            safe_prompt=safe if self.save_prompt else None,
            safe_prompt_sha256=None if safe is None else prompt_sha256(safe),
            **extra,
        )


def resolve_seed(seed: int | None, num: int = 1) -> int:
    """Return the first of `num` seeds, a fresh one where none is given.

    Raises:
        InvalidInput: A seed would lie outside 0..LARGEST_SEED.
    """
    if seed is None:
        return secrets.randbelow(2**32)
    options.require_between("seed", seed, 0, options.LARGEST_SEED - num + 1)
    return seed


def load_safe_pipeline(model: str | None, gate: Path | None = None, point: Point = "balanced") -> SafePipeline:
    """Load a model and wrap it.

    Args:
        model: A local folder or a hub name; None takes the embedded model.
        gate: File of `counterpoint calibrate`; None takes the standard gate.
        point: Working point of the gate's classifier.

    Raises:
        InvalidInput: There is no such model, its family is not supported, or the gate is another encoder's.
    """
    from counterpoint.gate_settings import read_gate_settings

    gates = [] if gate is None else [read_gate_settings(gate)]  # a wrong file fails before a model is loaded
    pipe = load_pipe(model, from_hub=True)

    from counterpoint.pipeline import SafePipeline

    return SafePipeline(pipe, detector=gate_for(pipe, gates, point))


def draw(
    safe: SafePipeline, plan: Plan, *, seed: int, safety: float, on_step: Callable[[], None]
) -> tuple[Image, SafetyReport]:
    """Draw one picture. Pictures are drawn one by one, so that their number changes none of them.

    Raises:
        InvalidInput: The model draws video.
    """
    import torch

    if safe.family.is_video:
        raise InvalidInput("model", plan.model_name, f"a model of pictures; {safe.family.name} is for Python only")
    output = safe(
        plan.prompt,
        safety=safety,
        safe_prompt=plan.safe_prompt,
        generator=torch.Generator("cpu").manual_seed(seed),  # the same noise on every device
        **plan.call,
        **step_callback(safe.pipe, on_step),
    )
    return getattr(output, safe.family.output)[0], output.safety[0]


def marking(*, no_watermark: bool, certificate: Path | None, key: Path | None) -> Marking:
    """Return how the pictures of a command are marked.

    Raises:
        InvalidInput: The certificate comes without its key, or they cannot be read or do not fit.
    """
    from counterpoint.provenance.manifest import read_credentials
    from counterpoint.provenance.marking import Marking
    from counterpoint.provenance.watermark import DEFAULT_KEY

    if (certificate is None) != (key is None):
        raise InvalidInput("c2pa_key", key, "together with c2pa_certificate, or neither")
    credentials = None if certificate is None or key is None else read_credentials(certificate, key)
    return Marking(watermark_key=None if no_watermark else DEFAULT_KEY, credentials=credentials)


def report_dict(report: SafetyReport) -> dict[str, Any]:
    """Return the report as plain data, for JSON."""
    return dataclasses.asdict(report)


def level_numbers(safety: float) -> dict[str, float]:
    """Return what a dial setting stands for: safety, weight and tau."""
    from counterpoint.levels import schedule_for

    schedule = schedule_for(safety)
    return {"safety": safety, "weight": schedule.weight, "tau": schedule.tau}


@contextmanager
def progress_bar(total_steps: int, *, label: str = "drawing") -> Iterator[Callable[[], None]]:
    """Show a bar on stderr where that is a terminal; yields the function to call after each step."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total_steps)
        yield lambda: progress.advance(task)
