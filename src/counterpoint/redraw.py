"""Draw a call again from the same noise: what the output check calls unsafe, or doubts, is steered harder.

Where each picture has a generator of its own, an attempt draws only those that were called unsafe, or doubted. Else it
is the whole call once more, since a picture's noise may depend on those beside it, and only they are taken from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from counterpoint.embeddings.auto import Auto
from counterpoint.embeddings.neutral import Neutral
from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.interfaces import SafeEmbedding
from counterpoint.levels import schedule_for
from counterpoint.reports import Pictures
from counterpoint.request import Request

STRONGER = (0.75, 1.0)
"""Safety of the attempts; those at or below the call's own are left out."""


def attempts_after(safety: float, *, all_steered: bool) -> tuple[float, ...]:
    """Return the safety of each attempt that is left; none where all were steered and the dial stands at 1.

    Args:
        safety: The call's own.
        all_steered: False where the gate passed the prompt of one of them: steering at the same level is new.
    """
    return tuple(value for value in STRONGER if value > safety or (value == safety and not all_steered))


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Where the random numbers of a call began."""

    generators: tuple[torch.Generator, ...]
    """The caller's own; empty where the call takes torch's global ones."""
    states: tuple[torch.Tensor, ...]

    @classmethod
    def before(cls, call: dict[str, Any], device: torch.device) -> Noise:
        """Remember the state of a call's generators, before it is drawn.

        Args:
            call: The pipeline's arguments; `generator` is None, one, or one a picture.
            device: Where the pipeline runs: without a generator it draws from the global one there.
        """
        given = call.get("generator")
        listed = given if isinstance(given, (list, tuple)) else [given]
        generators = tuple(generator for generator in listed if generator is not None)
        if generators:
            return cls(generators=generators, states=tuple(g.get_state() for g in generators))
        states = [torch.get_rng_state()]
        if device.type == "cuda":
            states.append(torch.cuda.get_rng_state(device))
        return cls(generators=(), states=tuple(states))

    @contextmanager
    def again(self, device: torch.device) -> Iterator[None]:
        """Let the block draw the same numbers; afterwards all generators stand where they stood before it."""
        if self.generators:
            later = [generator.get_state() for generator in self.generators]
            try:
                for generator, state in zip(self.generators, self.states, strict=True):
                    generator.set_state(state)
                yield
            finally:
                for generator, state in zip(self.generators, later, strict=True):
                    generator.set_state(state)
            return
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(self.states[0])
            if devices:
                torch.cuda.set_rng_state(self.states[1], device)
            yield


def attempt(
    request: Request, drawn: Pictures, flagged: Sequence[int], safety: float, num_per_prompt: str
) -> tuple[Request, dict[int, int]]:
    """Return the call that draws flagged pictures at another level, and where each of them stands in it.

    Args:
        request: The call as it was drawn first.
        drawn: Its pictures, and what was found in them.
        flagged: Indices of those to draw again.
        safety: Of the attempt, 0..1.
        num_per_prompt: Name of the argument that says how many pictures a prompt gets.
    """
    whole = engage_flagged(request, drawn, flagged, safety)
    part = apart(whole, flagged, num_per_prompt)
    places = flagged if part is None else range(len(flagged))
    return part or whole, dict(zip(flagged, places, strict=True))


def engage_flagged(request: Request, drawn: Pictures, flagged: Sequence[int], safety: float) -> Request:
    """Return the call at another level, engaged for the prompts of some pictures and for no others.

    Where the gate had passed such a prompt, the verdict on its picture stands for the gate's. The whole weight
    counts, whatever the gate's score was.
    """
    detections = [replace(detection, is_unsafe=False) for detection in request.detections]
    for image in flagged:
        index = request.prompt_of(image)
        gate, picture = request.detections[index], drawn.verdicts[image]
        detections[index] = gate if gate.is_unsafe else picture
    return replace(request, safety=safety, schedule=schedule_for(safety), detections=detections, strengths=None)


def apart(request: Request, images: Sequence[int], num_per_prompt: str) -> Request | None:
    """Return the call for some of its pictures only; None where these might not be the same pictures then.

    They are the same up to how kernels round in batches of another size. A generator a picture is what parts them; what
    an argument that is not known here means for each picture, nobody can tell, and a callback may count on all of them.
    """
    call = request.call
    if not isinstance(call.get("generator"), (list, tuple)) or not all(map(_can_be_parted, call, call.values())):
        return None
    owners = [request.prompt_of(image) for image in images]
    parted = {
        name: [value[index] for index in owners] if _one_a_prompt(name, value) else value
        for name, value in call.items()
    }
    parted["generator"] = [call["generator"][image] for image in images]
    if call.get("latents") is not None:
        parted["latents"] = call["latents"][list(images)]
    is_one_text = isinstance(request.prompt, str)
    each = len(images) if is_one_text else 1
    if num_per_prompt in call:
        parted[num_per_prompt] = each
    if is_one_text:
        return replace(request, call=parted, num_images_per_prompt=each)
    prompts = [request.prompts[index] for index in owners]
    return replace(
        request,
        prompt=[request.prompt[index] for index in owners],
        prompts=prompts,
        detections=[request.detections[index] for index in owners],
        num_images_per_prompt=each,
        call=parted,
    )


def _one_a_prompt(name: str, value: Any) -> bool:
    return name.startswith("negative_prompt") and isinstance(value, (list, tuple))


def _can_be_parted(name: str, value: Any) -> bool:
    """Whether an argument is one for all pictures, or holds one entry a picture or prompt that can be taken out."""
    is_one_for_all = value is None or isinstance(value, (bool, int, float, str)) or name in ("timesteps", "sigmas")
    return is_one_for_all or name in ("generator", "latents") or _one_a_prompt(name, value)


def last_resort(embedding: SafeEmbedding) -> SafeEmbedding:
    """Return an embedding that always has an answer: it does not depend on words that the gate named.

    The caller's own safe prompt stays the only one.
    """
    return embedding if isinstance(embedding, (Auto, SafePrompt)) else Auto(otherwise=[embedding, Neutral()])
