"""Draw compatible pictures in one call of the safe pipeline, each with its own seed.

Each picture has its own generator, so that its noise does not depend on its company. Kernels may still
add in another order in a larger batch: pixels of the embedded model then differ by one level of 255
(docs/results/batching.md). So pictures whose seed the caller names are drawn alone, see `exact_seeds`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from counterpoint.calls import default_guidance as default_guidance
from counterpoint.calls import step_callback
from counterpoint.embedded import GUIDANCE_SCALE, is_embedded
from counterpoint.interfaces import InvalidInput, OnUnsafe, SafetyFailure, SafetyReport
from counterpoint.output_check import hide_unsafe, judge
from counterpoint.reports import Pictures
from counterpoint.server.partials import Partials
from counterpoint.server.picture_queue import Order

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline


def draw(safe: SafePipeline, orders: Sequence[Order], on_step: Callable[[], None]) -> list[tuple[Image, SafetyReport]]:
    """Return the pictures and their reports, in order.

    Args:
        safe: The pipeline.
        orders: Pictures of equal settings, at least one.
        on_step: Called after each denoising step; what it raises ends the call.

    Raises:
        InvalidInput: A field is not allowed for this model.
        SafetyFailure: A safety step or picture detector failed, or the pipeline returned another number of pictures.
        Exception: Whatever the pipeline or `on_step` raises.
    """
    settings = orders[0].settings
    known = inspect.signature(type(safe.pipe).__call__).parameters
    call: dict[str, Any] = {
        "num_inference_steps": settings.steps,
        "generator": [torch.Generator("cpu").manual_seed(order.seed) for order in orders],  # the same on every device
        **_callbacks(safe, orders, on_step),
        **_start(orders),
    }
    if settings.size is not None and (settings.task == "generate" or "width" in known):
        call["width"], call["height"] = settings.size
    if settings.guidance_scale is not None:
        call["guidance_scale"] = settings.guidance_scale
    elif is_embedded(safe.pipe):
        call["guidance_scale"] = GUIDANCE_SCALE
    if settings.has_negative_prompt:
        call["negative_prompt"] = [order.negative_prompt or "" for order in orders]
    for name in ("width", "height", "guidance_scale", "negative_prompt"):
        if name in call and name not in known:
            raise InvalidInput(name, "a value", f"nothing; {type(safe.pipe).__name__} has no such argument")
    output = safe(
        [order.prompt for order in orders],
        safety=settings.safety,
        safe_prompt=settings.safe_prompt,
        on_unsafe=settings.on_unsafe,
        **call,
    )
    pictures = Pictures(output, output.safety, name=safe.family.output)
    if not len(pictures.images) == len(output.safety) == len(orders):
        raise SafetyFailure(f"{len(pictures.images)} pictures of {len(orders)} were drawn; nothing is returned")
    if safe.picture_detectors and settings.safety == 0.0:
        _look(safe, pictures, settings.on_unsafe)
    return list(zip(pictures.images, pictures.reports, strict=True))


def _look(safe: SafePipeline, pictures: Pictures, on_unsafe: OnUnsafe) -> None:
    """Look at pictures that nothing steered, and hide the unsafe ones: at dial 0 the pipeline itself does not.

    An operator's detectors look at every picture that leaves the server. None is drawn again: the dial says so.
    """
    pictures.look(judge(safe.picture_detectors, pictures.images))
    hide_unsafe(pictures, "block" if on_unsafe == "steer" else on_unsafe)


def _start(orders: Sequence[Order]) -> dict[str, Any]:
    """Return what an edit begins with; nothing where pictures are drawn from text alone."""
    settings = orders[0].settings
    if settings.task == "generate":
        return {}
    start: dict[str, Any] = {"image": [order.image for order in orders], "strength": settings.strength}
    return start if settings.task == "edit" else {**start, "mask_image": [order.mask for order in orders]}


def _callbacks(safe: SafePipeline, orders: Sequence[Order], on_step: Callable[[], None]) -> dict[str, Any]:
    """Return the arguments that have the pipeline tell its steps; partial pictures are of one order alone."""
    if orders[0].on_partial is None or not orders[0].partial_images:
        return step_callback(safe.pipe, on_step)
    partials = Partials(safe, orders[0])

    def step_end(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        on_step()
        partials.after_step(step, int(pipe.num_timesteps), kwargs["latents"])
        return {}

    return {"callback_on_step_end": step_end}
