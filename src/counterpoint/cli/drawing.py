"""Load a model, draw one picture, keep its record: what the drawing commands share."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterpoint.cli import options
from counterpoint.embedded import GUIDANCE_SCALE
from counterpoint.interfaces import InvalidInput, SafetyReport
from counterpoint.png import PictureRecord, prompt_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
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
        return GUIDANCE_SCALE if self.model is None else _default_guidance(pipe)

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


def _default_guidance(pipe: Any) -> float:
    """Return the scale of the guidance that a call without one gets; Qwen-Image has its own name for it."""
    parameters = inspect.signature(type(pipe).__call__).parameters
    scales = [parameters[name].default for name in ("guidance_scale", "true_cfg_scale") if name in parameters]
    return float(next(scale for scale in scales if scale is not None))


def resolve_seed(seed: int | None, num: int = 1) -> int:
    """Return the first of `num` seeds, a fresh one where none is given.

    Raises:
        InvalidInput: A seed would lie outside 0..LARGEST_SEED.
    """
    if seed is None:
        return secrets.randbelow(2**32)
    options.require_between("seed", seed, 0, options.LARGEST_SEED - num + 1)
    return seed


def load_safe_pipeline(model: str | None, gate: Path | None = None) -> SafePipeline:
    """Load a model and wrap it.

    Args:
        model: A local folder or a hub name; None takes the embedded model.
        gate: File of `counterpoint calibrate`; None takes the standard gate.

    Raises:
        InvalidInput: There is no such model, its family is not supported, or the gate is another encoder's.
    """
    from counterpoint.gate_settings import read_gate_settings

    settings = None if gate is None else read_gate_settings(gate)  # a wrong file fails before a model is loaded
    allowed = "a diffusers folder (with model_index.json), or a hub name as OWNER/NAME"
    if model is None:
        from counterpoint.embedded import embedded_model_path

        place = embedded_model_path()
    else:
        place = model
        is_local = os.path.exists(model) or not HUB_NAME.fullmatch(model)
        if is_local and not os.path.isfile(os.path.join(model, "model_index.json")):
            raise InvalidInput("model", model, allowed)

    import diffusers
    import torch
    import transformers

    from counterpoint.families import family_of

    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    try:
        # One dtype for all parts: text encoders would else keep the checkpoint's own.
        pipe = diffusers.DiffusionPipeline.from_pretrained(place, dtype=torch.float32)
    except Exception as error:  # the hub, the files and their parsers raise all kinds
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput("model", model or "embedded", f"{allowed}; loading failed: {reason}") from error
    if torch.cuda.is_available():
        pipe = pipe.to("cuda")
    pipe.set_progress_bar_config(disable=True)

    from counterpoint.pipeline import SafePipeline, text_space

    if settings is None:
        return SafePipeline(pipe)
    return SafePipeline(pipe, detector=settings.gate(text_space(pipe, family_of(pipe))))


def draw(
    safe: SafePipeline, plan: Plan, *, seed: int, safety: float, on_step: Callable[[], None]
) -> tuple[Image, SafetyReport]:
    """Draw one picture. Pictures are drawn one by one, so that their number changes none of them.

    Raises:
        InvalidInput: The model draws video.
    """
    import torch

    if safe.family.output != "images":
        raise InvalidInput("model", plan.model_name, f"a model of pictures; {safe.family.name} is for Python only")
    output = safe(
        plan.prompt,
        safety=safety,
        safe_prompt=plan.safe_prompt,
        generator=torch.Generator("cpu").manual_seed(seed),  # the same noise on every device
        **plan.call,
        **_step_callback(safe.pipe, on_step),
    )
    return output.images[0], output.safety[0]


def _step_callback(pipe: Any, on_step: Callable[[], None]) -> dict[str, Any]:
    """Return the argument that has the pipeline call `on_step` after each step; PixArt has an old one only."""

    def step_end(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        on_step()
        return {}

    def callback(step: int, timestep: Any, latents: Any) -> None:
        on_step()

    known = inspect.signature(type(pipe).__call__).parameters
    return {name: f for name, f in (("callback_on_step_end", step_end), ("callback", callback)) if name in known}


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
