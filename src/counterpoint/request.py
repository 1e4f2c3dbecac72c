"""One call of a SafePipeline, checked before anything is drawn.

Each check raises InvalidInput with the field, the value and what is allowed.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from counterpoint.detectors.minors import is_forbidden
from counterpoint.detectors.negative_prompt import without_safeguards, without_words_of
from counterpoint.families import Family
from counterpoint.interfaces import Detection, ForbiddenPrompt, InvalidInput
from counterpoint.mixing import MixingSchedule
from counterpoint.text_space import EncoderText

SCALE = re.compile(r"(^|_)(guidance|cfg|pag|adaptive)_((re)?scale(_\d)?|schedule)$")
"""Arguments that say how strongly guidance counts, of any pipeline."""
SECOND_SCALE = "guidance_scale_2"
"""Of the second denoiser of Wan 2.2, which pushes from the negative prompt to the prompt even below 1."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A call, checked and read."""

    prompt: str | list[str]
    """As given: the pipeline checks that `negative_prompt` is of the same type."""
    prompts: list[str]
    num_images_per_prompt: int
    schedule: MixingSchedule
    safety: float
    detections: list[Detection]
    call: dict[str, Any]
    strengths: list[float] | None = None
    """Fraction 0..1 of the schedule's weight that counts, one a picture; None = 1 for all."""

    @property
    def num_images(self) -> int:
        return len(self.prompts) * self.num_images_per_prompt

    @property
    def engaged(self) -> tuple[int, ...]:
        """Indices of the engaged pictures; none where the weight is 0."""
        if self.schedule.weight == 0.0 or self.schedule.tau >= 1.0:
            return ()
        return tuple(i for i in range(self.num_images) if self.detections[self.prompt_of(i)].is_unsafe)

    def prompt_of(self, image: int) -> int:
        """Index of the prompt that a picture is drawn from."""
        return image // self.num_images_per_prompt


def check_texts(text_space: EncoderText, prompts: list[str], safe_prompt: str | None) -> None:
    """Check that each text holds words, and no more than the encoder reads."""
    if not prompts:
        raise InvalidInput("prompt", prompts, "at least one text")
    texts = [("prompt", text) for text in prompts]
    if safe_prompt is not None:
        texts.append(("safe_prompt", safe_prompt))
    for name, text in texts:
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput(name, text, "a text that is not empty")
        text_space.check_length(name, text)


def check_forbidden(prompts: list[str], safe_prompt: str | None, call: dict[str, Any]) -> None:
    """Refuse what is drawn at no level; asked of each prompt with its negative prompts and the safe prompt.

    Raises:
        ForbiddenPrompt: A prompt, alone or with those, asks for sexual content about minors.
        InvalidInput: A text cannot be read, see `normalise`.
    """
    for prompt, negative in zip(prompts, negative_prompts(call, len(prompts)), strict=True):
        if is_forbidden(prompt, negative_prompt=negative, safe_prompt=safe_prompt):
            raise ForbiddenPrompt


def negative_prompts(call: dict[str, Any], count: int) -> list[str]:
    """Return all that is pushed away from each of `count` prompts, as one text; "" where there is nothing."""
    given = [value for name, value in call.items() if name.startswith("negative_prompt") and value]
    return [
        " . ".join(value if isinstance(value, str) else _entry(value, index) for value in given)
        for index in range(count)
    ]


def with_safe_negatives(call: dict[str, Any]) -> dict[str, Any]:
    """Return the call with negative prompts that push no safety away; the others stay as they are."""
    changed = dict(call)
    for name, value in call.items():
        if name.startswith("negative_prompt") and isinstance(value, str):
            changed[name] = without_safeguards(value)
        elif name.startswith("negative_prompt") and isinstance(value, (list, tuple)):
            changed[name] = [without_safeguards(text) if isinstance(text, str) else text for text in value]
    return changed


def without_words_of_safe_texts(call: dict[str, Any], texts: Mapping[int, str], count: int) -> dict[str, Any]:
    """Return the call whose negative prompts do not push away what the safe stream draws.

    Args:
        call: The pipeline's arguments.
        texts: What the safe stream is told, by the index of the prompt; the others keep their negative prompts.
        count: Number of prompts.
    """
    changed = dict(call)
    for name, value in call.items():
        if not name.startswith("negative_prompt") or not isinstance(value, (str, list, tuple)):
            continue
        given = [value] * count if isinstance(value, str) else list(value)
        left = [
            without_words_of(texts[index], text) if index in texts and isinstance(text, str) else text
            for index, text in enumerate(given)
        ]
        if left != given:
            changed[name] = left[0] if isinstance(value, str) and count == 1 else left
    return changed


def _entry(texts: Any, index: int) -> str:
    """Return the entry of one prompt; the pipeline itself refuses lists of another length."""
    given = isinstance(texts, (list, tuple)) and index < len(texts) and isinstance(texts[index], str)
    return str(texts[index]) if given else ""


def check_call(pipe: Any, family: Family, call: dict[str, Any]) -> None:
    """Check the pipeline's own arguments where a wrong one would fail late, or unclearly."""
    known = set(inspect.signature(type(pipe).__call__).parameters) - {"self", "prompt"}
    own = family.own_arguments(type(pipe))
    for name, value in call.items():
        if name in own and value is not None:
            raise InvalidInput(
                name, type(value).__name__, "None; give all the text as `prompt`, the gate has to read it"
            )
        if name not in known:
            raise InvalidInput(name, value, f"an argument of {type(pipe).__name__}")
    for name in ("num_inference_steps", family.num_per_prompt):
        value = call.get(name, 1)
        if value is None and name == "num_inference_steps" and _names_its_steps(call):
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise InvalidInput(name, value, "a whole number from 1")
    _check_scales(pipe, call)
    callback = call.get("callback_on_step_end")
    if callback is not None and not callable(callback):
        raise InvalidInput("callback_on_step_end", callback, "None or a function (pipe, step, timestep, kwargs)")


def _check_scales(pipe: Any, call: dict[str, Any]) -> None:
    """Refuse scales of guidance that turn it round, so that the negative prompt would be drawn.

    Below 1 the first one is no guidance at all in diffusers; a second denoiser's is not looked at in this way.
    """
    parameters = inspect.signature(type(pipe).__call__).parameters
    for name in filter(SCALE.search, call):
        given, least = call[name], 1 if name == SECOND_SCALE else 0
        if given is None and (parameters[name].default is None or name.endswith("schedule")):
            continue  # the pipeline's own default, or a scale in its place
        for value in given if isinstance(given, (list, tuple)) and name.endswith("schedule") else [given]:
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or value < least:
                raise InvalidInput(name, given, f"a finite number from {least}, or a list of them for a schedule")


def _names_its_steps(call: dict[str, Any]) -> bool:
    return any(call.get(name) is not None for name in ("timesteps", "sigmas"))


def check_tensors(request: Request) -> None:
    """Check what must hold one entry a picture."""
    generator, latents = request.call.get("generator"), request.call.get("latents")
    allowed = f"None, a torch.Generator, or {request.num_images} different ones, one a picture"
    generators = list(generator) if isinstance(generator, (list, tuple)) else [generator]
    if not all(g is None or isinstance(g, torch.Generator) for g in generators):
        raise InvalidInput("generator", generator, allowed)
    if isinstance(generator, (list, tuple)) and (
        len(generators) != request.num_images or len({id(g) for g in generators}) != len(generators)
    ):
        raise InvalidInput("generator", f"{len(generators)} generators", allowed)
    if latents is not None and (not isinstance(latents, Tensor) or len(latents) != request.num_images):
        given = tuple(latents.shape) if isinstance(latents, Tensor) else type(latents).__name__
        raise InvalidInput("latents", given, f"None, or a tensor of {request.num_images} rows, one a picture")
