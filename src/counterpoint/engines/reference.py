"""The reference engine: both streams as one batch, mixed after each step. Literal, about 2x cost.

Public API of diffusers only: `prompt_embeds`, `latents`, `generator`, `callback_on_step_end`. One
scheduler call sees both streams, so stateful solvers need no second scheduler. Rows of the batch:

    [original stream of picture 0 .. M-1 | safe stream of the E engaged pictures]
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from counterpoint.engines.drawn import Drawn, counting_rows
from counterpoint.engines.local_weight import LocalWeight, combined_map
from counterpoint.engines.shared_noise import SharedNoise, clone_generator
from counterpoint.engines.undo import as_found
from counterpoint.interfaces import Coupling, InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule, mix

StepCallback = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Conditioning of both streams."""

    prompt_embeds: Tensor
    """Original embeddings, one row a picture, (M, L, D)."""
    negative_prompt_embeds: Tensor | None
    """Unconditional embeddings, (M, L, D); None where guidance is off."""
    safe_prompt_embeds: Tensor
    """Safe embeddings of the engaged pictures, (E, L, D)."""
    engaged: tuple[int, ...]
    """Indices of the engaged pictures, ascending, E of M."""

    @property
    def rows(self) -> list[int]:
        """Picture that each row of the joint batch belongs to, M + E numbers."""
        return [*range(len(self.prompt_embeds)), *self.engaged]

    @property
    def output_rows(self) -> list[int]:
        """Row of the joint batch that holds each picture's result: the safe one where engaged."""
        num_images = len(self.prompt_embeds)
        place = {image: num_images + j for j, image in enumerate(self.engaged)}
        return [place.get(image, image) for image in range(num_images)]


@dataclass(kw_only=True)
class TwoStreams:
    """The `callback_on_step_end` that mixes the streams; counts what it did."""

    streams: Streams
    schedule: MixingSchedule
    coupling: Coupling
    starts_mixed: bool
    """Whether the safe rows carry the safe embedding from the first step."""
    local: LocalWeight | None = None
    """Where to mix; None = everywhere."""
    strengths: Sequence[float] | None = None
    """Fraction 0..1 of the weight that counts, one an engaged picture; None = 1 for all."""
    user_callback: StepCallback | None = None
    user_tensor_inputs: Sequence[str] = ("latents",)
    steps_seen: int = 0
    weights: list[float] = field(default_factory=list)
    """Weight applied after each step so far; 0 where the step was not mixed."""

    def __call__(self, pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        num_steps = int(pipe.num_timesteps)
        weight = self.schedule.weight_at(step, num_steps)
        if step == 0 and (weight > 0.0) != self.starts_mixed:
            raise SafetyFailure(
                f"the pipeline runs {num_steps} steps, not as many as asked for, so that tau fell on another "
                "step than planned; nothing is drawn. Use another number of steps or scheduler, or tau 0"
            )
        latents = self._mix(kwargs["latents"], weight, last=step == num_steps - 1)
        self.steps_seen += 1
        self.weights.append(weight)
        result = {"latents": latents}
        if self.schedule.weight_at(step + 1, num_steps) > 0.0:  # the next step is a mixed one
            result["prompt_embeds"] = self._with_safe_rows(kwargs["prompt_embeds"])
        if self.user_callback is not None:
            result["latents"] = self._call_user(pipe, step, timestep, {**kwargs, **result})
        if not bool(torch.isfinite(result["latents"]).all()):
            raise SafetyFailure(f"the latents hold NaN or infinity after step {step}; nothing is drawn")
        return result

    def _mix(self, latents: Tensor, weight: float, *, last: bool) -> Tensor:
        num_images, engaged = len(self.streams.prompt_embeds), list(self.streams.engaged)
        original, safe = latents[engaged], latents[num_images:]
        # Before tau both rows carry the original embedding: they agree, and the safe row's solver
        # history is the original's, which is what one trajectory with mixed predictions has.
        merged = safe
        if weight > 0.0:
            merged = mix(original, safe, weight, combined_map(original, safe, self.local, self.strengths))
        latents = latents.clone()
        latents[num_images:] = merged
        if self.coupling == "joined" or last:  # at the end: the original picture is never decoded
            latents[engaged] = merged
        return latents

    def _with_safe_rows(self, prompt_embeds: Tensor) -> Tensor:
        # Under guidance the pipeline's tensor is [unconditional | conditional]: the safe rows are
        # the last E rows in either case.
        safe = self.streams.safe_prompt_embeds
        prompt_embeds = prompt_embeds.clone()
        prompt_embeds[-len(safe) :] = safe.to(prompt_embeds)
        return prompt_embeds

    def _call_user(self, pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> Tensor:
        """Show the user's callback one row a picture; take back new latents, for both streams."""
        assert self.user_callback is not None
        latents: Tensor = kwargs["latents"]
        rows = self.streams.output_rows
        total = len(self.streams.rows)
        shown = {
            name: torch.cat([part[rows] for part in kwargs[name].split(total)]) for name in self.user_tensor_inputs
        }
        before = {name: value.clone() for name, value in shown.items()}  # the callback may edit in place
        returned = {**shown, **(self.user_callback(pipe, step, timestep, dict(shown)) or {})}
        changed = [
            name for name, value in returned.items() if name not in before or not torch.equal(value, before[name])
        ]
        if set(changed) - {"latents"}:
            raise InvalidInput("callback_on_step_end", changed, "a safe call's callback may change latents only")
        if "latents" not in changed:
            return latents
        if returned["latents"].shape != (len(rows), *latents.shape[1:]):
            shape = tuple(returned["latents"].shape)
            raise InvalidInput("callback_on_step_end", shape, f"latents of shape {(len(rows), *latents.shape[1:])}")
        changed_latents: Tensor = returned["latents"].to(latents)
        return changed_latents[self.streams.rows]  # one row a picture -> both streams


def planned_steps(pipe: Any, call: dict[str, Any]) -> int:
    """Return the number of steps that the call will take; the engine checks it at the first step.

    It is the scheduler's to say: PNDM takes one more than it is asked for, Heun nearly twice as many.
    """
    for name in ("timesteps", "sigmas"):
        if call.get(name) is not None:
            return len(call[name])
    default = inspect.signature(type(pipe).__call__).parameters["num_inference_steps"].default
    scheduler = copy.deepcopy(pipe.scheduler)
    scheduler.set_timesteps(int(call.get("num_inference_steps", default)))
    return len(scheduler.timesteps)


def run(
    pipe: Any,
    streams: Streams,
    schedule: MixingSchedule,
    *,
    coupling: Coupling,
    generator: Generator | Sequence[Generator] | None,
    latents: Tensor | None,
    call: dict[str, Any],
    local: LocalWeight | None = None,
    strengths: Sequence[float] | None = None,
) -> Drawn:
    """Run one pipeline call with both streams and mix them.

    Args:
        pipe: A diffusers text-to-image pipeline; neither it nor its weights are changed.
        streams: Conditioning of both streams; at least one picture is engaged.
        schedule: When and how strongly to mix; its weight is above 0 somewhere.
        coupling: "joined": both streams restart from the mix after each step. "parallel": the
            original stream runs free and only the safe one takes the mix.
        generator: One for the whole call, one a picture (M), or None for the global one.
        latents: Initial noise, (M, C, H, W), or None to draw it.
        call: The remaining arguments of the pipeline's own call.
        local: Where to mix joined streams; None = everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a picture, M; None = 1 for all.

    Returns:
        The pipeline's own output, M pictures, and what it took: two streams for an engaged one.

    Raises:
        SafetyFailure: A step that should have been mixed was not, or the latents are not finite.
    """
    rows, negative = streams.rows, streams.negative_prompt_embeds
    starts_mixed = schedule.weight_at(0, planned_steps(pipe, call)) > 0.0
    tail = streams.safe_prompt_embeds if starts_mixed else streams.prompt_embeds[list(streams.engaged)]
    user_callback = call.pop("callback_on_step_end", None)
    user_inputs = call.pop("callback_on_step_end_tensor_inputs", None)
    callback = TwoStreams(
        streams=streams,
        schedule=schedule,
        coupling=coupling,
        starts_mixed=starts_mixed,
        local=local,
        strengths=None if strengths is None else [strengths[image] for image in streams.engaged],
        user_callback=user_callback,
        # diffusers' own callback objects name their tensors themselves
        user_tensor_inputs=getattr(user_callback, "tensor_inputs", None) or user_inputs or ["latents"],
    )
    if isinstance(generator, (list, tuple)):
        generator = [*generator, *(clone_generator(generator[image]) for image in streams.engaged)]
    with counting_rows(pipe) as counted, SharedNoise(rows, len(streams.prompt_embeds)), as_found(pipe):
        output = pipe(
            **call,
            prompt_embeds=torch.cat([streams.prompt_embeds, tail.to(streams.prompt_embeds)]),
            negative_prompt_embeds=negative if negative is None else negative[rows],
            num_images_per_prompt=1,
            latents=None if latents is None else latents[rows],
            generator=generator,
            callback_on_step_end=callback,
            callback_on_step_end_tensor_inputs=sorted({"latents", "prompt_embeds", *callback.user_tensor_inputs}),
        )
    num_steps = int(pipe.num_timesteps)
    if callback.steps_seen != num_steps or not any(callback.weights):
        raise SafetyFailure(
            f"the streams were mixed after {callback.steps_seen} of {num_steps} steps; nothing is returned"
        )
    return _drawn(output, streams, callback.weights, sum(counted))


def _drawn(output: Any, streams: Streams, weights: list[float], denoiser_rows: int) -> Drawn:
    """Keep one row a picture of the joint batch's result, and share out its cost."""
    for name, value in dict(output).items():
        if value is not None:
            output[name] = _pick_rows(value, streams.output_rows)
    each = denoiser_rows // len(streams.rows)
    return Drawn(
        output=output,
        weights=weights,
        rows=[each * (2 if image in streams.engaged else 1) for image in range(len(streams.prompt_embeds))],
        plain_rows=each,
    )


def _pick_rows(value: Any, rows: list[int]) -> Any:
    """Pick rows of a list, array or tensor whose first axis is the batch."""
    return [value[row] for row in rows] if isinstance(value, list) else value[rows]
