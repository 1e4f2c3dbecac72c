"""What a call of a diffusers pipeline needs to know of its class: its guidance, and how it tells its steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from counterpoint.embedded import GUIDANCE_SCALE, is_embedded


def default_guidance(pipe: Any) -> float:
    """Return the guidance scale of a call that names none; 1 = off. Qwen-Image has its own name for it."""
    if is_embedded(pipe):
        return GUIDANCE_SCALE
    parameters = inspect.signature(type(pipe).__call__).parameters
    scales = [parameters[name].default for name in ("guidance_scale", "true_cfg_scale") if name in parameters]
    return float(next((scale for scale in scales if scale is not None), 1.0))


def step_callback(pipe: Any, on_step: Callable[[], None]) -> dict[str, Any]:
    """Return the argument that has the pipeline call `on_step` after each step; PixArt has an old one only."""

    def step_end(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        on_step()
        return {}

    def callback(step: int, timestep: Any, latents: Any) -> None:
        on_step()

    known = inspect.signature(type(pipe).__call__).parameters
    return {name: f for name, f in (("callback_on_step_end", step_end), ("callback", callback)) if name in known}
