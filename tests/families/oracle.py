"""The mix that a pipeline should take, computed without the engine.

Every denoiser call of a plain run on the safe prompt is recorded; then all rows of the run on the prompt are mixed
with what the same call says there. Unconditional rows are the same in both, so that it need not be known which rows
are which. A ControlNet is asked again in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from counterpoint.mixing import MixingSchedule


def denoiser(pipe: Any) -> Any:
    return getattr(pipe, "unet", None) or pipe.transformer


def distance(a: Tensor, b: Tensor) -> float:
    """Largest difference, as a part of what `b` spans."""
    return float((a - b).abs().max() / (b.max() - b.min()))


def named(answers: Any, denoiser: str) -> dict[str, Any]:
    """A ControlNet's answers, by the names that a denoiser of this class has for them."""
    if denoiser.startswith("UNet"):
        return {"down_block_additional_residuals": answers[0], "mid_block_additional_residual": answers[1]}
    if denoiser.startswith("SD3"):
        return {"block_controlnet_hidden_states": answers[0]}
    if denoiser.startswith("Flux"):
        return {"controlnet_block_samples": answers[0], "controlnet_single_block_samples": answers[1]}
    return {"controlnet_block_samples": answers[0] if isinstance(answers, tuple) else answers}


def copied(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments with lists of their own: a UNet takes an adapter's features out of the list it is given."""
    return {key: list(value) if isinstance(value, list) else value for key, value in kwargs.items()}


def oracle(
    pipe: Any, draw: Callable[[str], Tensor], prompt: str, safe: str, schedule: MixingSchedule, num_steps: int
) -> Tensor:
    """Return what `draw` gives for a prompt where each step mixes; it runs the plain pipeline, `num_steps` steps."""
    network, companion = denoiser(pipe), getattr(pipe, "controlnet", None)
    recorded: dict[Any, list[Any]] = {module: [] for module in (network, companion) if module is not None}
    hooks = [
        module.register_forward_pre_hook(
            lambda m, args, kwargs: recorded[m].append((args, copied(kwargs))), with_kwargs=True
        )
        for module in recorded
    ]
    draw(safe)
    num_calls = len(recorded[network])
    assert num_calls % num_steps == 0
    answers: dict[str, Any] = {}  # of the ControlNet to the safe prompt

    def on_the_safe_prompt(module: Any, args: Any, kwargs: dict[str, Any], **more: Any) -> Any:
        safe_args, safe_kwargs = recorded[module].pop(0)
        latents = {key: kwargs[key] for key in ("hidden_states", "sample", "x") if key in kwargs}
        return module.forward(*args[:1], *safe_args[1:], **copied({**safe_kwargs, **latents, **more}))

    def listen(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        answers.update(named(on_the_safe_prompt(module, args, kwargs), type(network).__name__))

    def mix(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
        step = (num_calls - len(recorded[module])) * num_steps // num_calls
        original, safe_one = output[0], on_the_safe_prompt(module, args, kwargs, **answers)[0]
        if step / num_steps < schedule.tau:
            return output
        if isinstance(original, list):
            return ([torch.lerp(a, b, schedule.weight) for a, b in zip(original, safe_one, strict=True)],)
        if isinstance(output, dict):
            return type(output)(sample=torch.lerp(original, safe_one, schedule.weight))
        return (torch.lerp(original, safe_one, schedule.weight),)

    for hook in hooks:
        hook.remove()
    hooks = [network.register_forward_hook(mix, with_kwargs=True)]
    hooks += [] if companion is None else [companion.register_forward_hook(listen, with_kwargs=True)]
    latents = draw(prompt)
    for hook in hooks:
        hook.remove()
    assert not any(recorded.values())
    return latents
