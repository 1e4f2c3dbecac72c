"""One call of the pipeline itself, as pictures of a method; what every method but our own draws with."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.engines.denoiser import one_call_at_a_time
from counterpoint.engines.drawn import counting_rows
from counterpoint.interfaces import Action, Cost, DegeneratePicture, InvalidInput
from counterpoint.methods.method import MethodPicture
from counterpoint.pictures import check_pictures
from counterpoint.request import check_forbidden

OWN = frozenset({
    "prompt", "generator", "output_type", "return_dict", "num_images_per_prompt", "prompt_embeds",
    "negative_prompt_embeds", "ip_adapter_image", "ip_adapter_image_embeds", "callback_on_step_end",
    "callback_on_step_end_tensor_inputs", "self", "kwargs",
})  # fmt: skip
"""Arguments of the pipeline that a method sets itself, or that the methods do not know."""


def check_call(
    pipe: Any, prompts: Sequence[str], generators: Sequence[torch.Generator], call: dict[str, Any]
) -> dict[str, Any]:
    """Check a method's call, and return its `call` with one negative prompt a picture.

    Raises:
        InvalidInput: An argument is not the pipeline's, is the method's own, or does not fit the prompts.
        ForbiddenPrompt: A prompt asks for what is drawn by no method.
    """
    if not prompts or isinstance(prompts, str):
        raise InvalidInput("prompts", f"{type(prompts).__name__} of {len(prompts)}", "a list of at least one text")
    if len(generators) != len(prompts) or len({id(generator) for generator in generators}) != len(prompts):
        raise InvalidInput("generators", len(generators), f"{len(prompts)} different ones, one a prompt")
    known = inspect.signature(type(pipe).__call__).parameters.keys() - OWN
    for name in call:
        if name not in known:
            raise InvalidInput(name, type(call[name]).__name__, f"one of {', '.join(sorted(known))}")
    check_forbidden(list(prompts), None, call)
    negative = call.get("negative_prompt")
    return {**call, "negative_prompt": [negative] * len(prompts)} if isinstance(negative, str) else dict(call)


def has_guidance(pipe: Any, call: dict[str, Any]) -> bool:
    """Whether this call runs an unconditional row beside each prompt's."""
    default = inspect.signature(type(pipe).__call__).parameters["guidance_scale"].default
    scale = call.get("guidance_scale", default)
    return bool(scale > 1.0 and pipe.unet.config.time_cond_proj_dim is None)


def need_guidance(pipe: Any, call: dict[str, Any], method: str) -> None:
    """Raise InvalidInput where a method that works on the guidance term is called without guidance."""
    if not has_guidance(pipe, call):
        raise InvalidInput("guidance_scale", call.get("guidance_scale"), f"above 1: {method} works on the guidance")


def draw(
    pipe: Any,
    prompts: Sequence[str],
    generators: Sequence[torch.Generator],
    call: dict[str, Any],
    *,
    action: Action = "steered",
    **changes: Any,
) -> list[MethodPicture]:
    """Run the pipeline's own call; the rows of hooks that are attached before are counted.

    Args:
        pipe: A pipeline shaped as StableDiffusionPipeline.
        prompts: B texts.
        generators: B generators.
        call: The rest of the pipeline's own arguments, see `check_call`.
        action: What the method did to every picture.
        changes: Arguments in place of `prompt` and `call`, as {"prompt_embeds": (B, L, D), "prompt": None}.
    """
    started = time.perf_counter()
    arguments = {"prompt": list(prompts), **call, **changes}
    with one_call_at_a_time(pipe), counting_rows(pipe) as rows:
        output = pipe(**arguments, generator=list(generators), output_type="pt")
    count, seconds = len(prompts), time.perf_counter() - started
    denoiser_rows = sum(rows) // count
    plain_rows = denoiser_rows if action == "passed" else len(rows) * (2 if has_guidance(pipe, arguments) else 1)
    cost = Cost(denoiser_rows=denoiser_rows, plain_rows=plain_rows, seconds=seconds / count)
    flagged = getattr(output, "nsfw_content_detected", None) or [False] * count
    return [
        MethodPicture(pixels=pixels.float().cpu(), action="blocked", cost=cost)  # by the pipeline's own checker
        if is_black
        else MethodPicture(pixels=_checked(pixels), action=action, cost=cost)
        for pixels, is_black in zip(output.images, flagged, strict=True)
    ]


def _checked(pixels: Tensor) -> Tensor | None:
    try:
        check_pictures([pixels])
    except DegeneratePicture:
        return None
    return pixels.float().cpu()
