"""The fused engine: the pipeline's own call, in which the denoiser answers for both streams.

For a solver that is linear in the model's output, joined streams in latent space are one stream with
mixed predictions,

    (1 - w) step(z, eps(z, c)) + w step(z, eps(z, s)) = step(z, (1 - w) eps(z, c) + w eps(z, s))

so a hook on the denoiser mixes the conditional rows of the engaged pictures, and the pipeline's own
guidance and scheduler do the rest: 3 rows instead of 4, 2 before tau, and 2 where w = 1, where the
prompt's row is not run. The batch of the pipeline is not changed, so a harmless picture in it is what
the plain call draws. Guidance that is not linear (`guidance_rescale`, the renormalisation of
Qwen-Image) and schedulers that clip take the mixed prediction as they would any other; there the two
forms differ.

Two options go beyond the method. Reuse runs the safe rows at every k-th mixed step j only, and takes

    eps(z_i, s) ~ eps(z_i, c) + eps(z_j, s) - eps(z_j, c)        at the steps i between

`local_weight` gives each place its own weight.

A step in which an engaged picture was not mixed, or a prediction that is not finite, raises: the call
returns no picture. PyTorch's own hooks are attached for one call and removed at its end.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import Module

from counterpoint.engines.conditioning import Conditioning, Match
from counterpoint.engines.denoiser import arguments_of, denoisers, num_rows, one_call_at_a_time, uncompiled
from counterpoint.engines.drawn import Drawn, fresh
from counterpoint.engines.local_weight import LocalWeight, combined_map
from counterpoint.engines.prediction import is_finite, rows_of, with_rows
from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule, mix

UNSUITABLE_CACHES = frozenset({"PyramidAttentionBroadcastConfig", "FasterCacheConfig"})
"""Caches that count the denoiser's calls: they would serve the safe rows the original's attention."""


class _Recorded(BaseException):
    """Leaves the pipeline at its first denoiser call; no Exception, so that no pipeline catches it."""


@dataclass(frozen=True)
class _Todo:
    """What the hook after a denoiser's call has to mix into it."""

    call: tuple[Module, int]
    """The network, and the number of the call among those of the step to mix."""
    found: list[Match]
    safe_arguments: dict[str, Any] | None
    """The call of the safe rows; None where what is known from an earlier step serves again."""


class MixedPredictions:
    """The hooks of one call: they mix the predictions and count what they did.

    Args:
        safe: Arguments of the denoiser's first call on the safe prompts, see `record_conditioning`.
        schedule: When and how strongly to mix.
        num_images: Pictures of the call, M.
        engaged: Indices of the engaged pictures.
        reuse: At every how many mixed steps the safe rows run, from 1.
        local: Where to mix; None = everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a picture, M; None = 1 for all.
    """

    def __init__(
        self,
        pipe: Any,
        safe: dict[str, Any],
        schedule: MixingSchedule,
        num_images: int,
        engaged: Sequence[int],
        *,
        reuse: int = 1,
        local: LocalWeight | None = None,
        strengths: Sequence[float] | None = None,
    ) -> None:
        self.pipe, self.safe, self.schedule = pipe, safe, schedule
        self.num_images, self.engaged = num_images, frozenset(engaged)
        self.reuse, self.local = reuse, local
        self.strengths = None if strengths is None or all(s == 1.0 for s in strengths) else list(strengths)
        self.weights: list[float] = []
        """Weight applied at each step so far; as long as the scheduler has taken steps."""
        self.plain_rows = 0
        """Rows of the pipeline's own calls, all pictures together."""
        self.extra_rows = [0] * num_images
        self._conditioning: dict[Module, Conditioning] = {}
        self._mixed: set[int] = set()  # pictures mixed in the present step
        self._todo: _Todo | None = None
        self._calls_to_mix = 0  # of the present step, so far
        self._differences: dict[tuple[Module, int], tuple[list[Match], list[Tensor]]] = {}
        """For a call of a step to mix, by its number: which rows, and what the safe ones said more."""
        self._thread, self._runs_safe_rows = threading.get_ident(), False

    @property
    def num_steps(self) -> int:
        """Steps of the pipeline's loop, N: what it says itself, else what its scheduler holds."""
        own = getattr(self.pipe, "_num_timesteps", None)
        return int(own) if own is not None else len(self.pipe.scheduler.timesteps)

    @property
    def weight(self) -> float:
        """Weight of the present step."""
        return self.schedule.weight_at(len(self.weights), self.num_steps)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Attach the hooks to the denoiser and to the scheduler's step; on leaving all is as before."""
        with ExitStack() as undo:
            for module in denoisers(self.pipe):
                for handle in (
                    module.register_forward_pre_hook(_uncompiled(self._before_denoiser), with_kwargs=True),
                    module.register_forward_hook(_uncompiled(self._after_denoiser)),
                ):
                    undo.callback(handle.remove)
            undo.enter_context(_wrapped_step(self.pipe.scheduler, self._after_step))
            yield

    def _before_denoiser(
        self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._runs_safe_rows or threading.get_ident() != self._thread:
            return None
        arguments = arguments_of(module, args, kwargs)
        self.plain_rows += num_rows(arguments)
        network = uncompiled(module)
        if network not in self._conditioning:
            self._conditioning[network] = Conditioning(arguments, self.safe, self.num_images, sorted(self.engaged))
        conditioning, self._todo = self._conditioning[network], None
        found = conditioning.find(arguments) if self.weight > 0.0 else []
        if not found:  # before tau, or a call of unconditional rows
            return None
        self._mixed |= {match.image for match in found}
        # A cache holds features of the prompt's own rows: safe rows in their place would be served them.
        is_whole = self.weight == 1.0 and self.local is None and self.strengths is None
        if is_whole and not getattr(module, "is_cache_enabled", False):
            swapped = conditioning.safe_in_place(arguments, found)
            if swapped is not None:
                return (), swapped
        call = network, self._calls_to_mix
        self._calls_to_mix += 1
        known = self._differences.get(call)
        is_due = sum(weight > 0.0 for weight in self.weights) % self.reuse == 0 or known is None or known[0] != found
        self._todo = _Todo(call, found, conditioning.safe_rows(arguments, found) if is_due else None)
        return None

    def _after_denoiser(self, module: Module, args: tuple[Any, ...], output: Any) -> Any:
        if self._runs_safe_rows or threading.get_ident() != self._thread:
            return None
        if self._todo is not None:
            todo, self._todo = self._todo, None
            output = self._mix(module, output, todo)
        if not is_finite(output):
            raise SafetyFailure(
                f"the denoiser's prediction at step {len(self.weights)} holds NaN or infinity; nothing is drawn"
            )
        return output

    def _mix(self, module: Module, output: Any, todo: _Todo) -> Any:
        """Mix the safe rows into a denoiser's output, or what is known of them from an earlier step."""
        rows = [match.row for match in todo.found]
        original = rows_of(output, rows)
        if todo.safe_arguments is None:
            safe = [a + difference for a, difference in zip(original, self._differences[todo.call][1], strict=True)]
        else:
            safe = rows_of(self._run_safe_rows(module, todo.safe_arguments), range(len(rows)))
            for match in todo.found:
                self.extra_rows[match.image] += 1
            if self.reuse > 1:
                self._differences[todo.call] = todo.found, [b - a for a, b in zip(original, safe, strict=True)]
        images = [match.image for match in todo.found]
        of_parts = [images] * len(original) if len(original[0]) == len(images) else [[i] for i in images]
        parts = [
            self._mixed_part(a, b, images_of_part)
            for a, b, images_of_part in zip(original, safe, itertools.cycle(of_parts), strict=False)
        ]
        return with_rows(output, rows, parts)

    def _mixed_part(self, original: Tensor, safe: Tensor, images: Sequence[int]) -> Tensor:
        strengths = None if self.strengths is None else [self.strengths[image] for image in images]
        return mix(original, safe, self.weight, combined_map(original, safe, self.local, strengths))

    def _run_safe_rows(self, module: Any, arguments: dict[str, Any]) -> Any:
        self._runs_safe_rows = True
        try:
            if getattr(module, "is_cache_enabled", False):  # a cache keeps one state per context
                with module.cache_context("safe"):
                    return module(**arguments)
            return module(**arguments)
        finally:
            self._runs_safe_rows = False

    def _after_step(self) -> None:
        """Count the scheduler's step; raise where it was fed a prediction that should have been mixed."""
        if threading.get_ident() != self._thread:
            return
        step, weight = len(self.weights), self.weight
        missing = self.engaged - self._mixed if weight > 0.0 else set()
        if missing:
            raise SafetyFailure(
                f"the safe stream of picture {min(missing)} did not run at step {step}; nothing is drawn"
            )
        self._mixed.clear()
        self._calls_to_mix = 0
        self.weights.append(weight)

    def check_complete(self) -> None:
        """Raise SafetyFailure unless every step of the schedule was taken and some were mixed."""
        if len(self.weights) != self.num_steps or not any(self.weights):
            raise SafetyFailure(
                f"the streams were mixed in {len(self.weights)} of {self.num_steps} steps; nothing is returned"
            )


def run(
    pipe: Any,
    call: dict[str, Any],
    safe_call: dict[str, Any],
    schedule: MixingSchedule,
    *,
    num_images: int,
    engaged: Sequence[int],
    reuse: int = 1,
    local: LocalWeight | None = None,
    strengths: Sequence[float] | None = None,
) -> Drawn:
    """Run the pipeline's call and mix the safe stream into the engaged pictures.

    Threads that draw with one denoiser wait for each other.

    Args:
        pipe: A diffusers pipeline; neither it nor its weights are changed.
        call: Arguments of the pipeline's own call.
        safe_call: Those of them that the safe stream has instead, as {"prompt": ...}; as many prompts.
        schedule: When and how strongly to mix; its weight is above 0 somewhere.
        num_images: Pictures of the call, M.
        engaged: Indices of the engaged pictures, at least one.
        reuse: At every how many mixed steps the safe rows run, from 1; between them the difference of the
            predictions is kept. 1 = at each. Without effect where the weight is 1: there they cost nothing.
        local: Where to mix; None = everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a picture, M; None = 1 for all.

    Returns:
        The pipeline's own output, M pictures, and what it took.

    Raises:
        InvalidInput: A cache on the denoiser does not go together with two streams, or packed latents
            are to be smoothed.
        SafetyFailure: A step that should have been mixed was not, or a prediction is not finite.
    """
    for module in denoisers(pipe):
        cache = type(getattr(uncompiled(module), "_cache_config", None)).__name__
        if cache in UNSUITABLE_CACHES:
            raise InvalidInput("pipe", cache, "no cache, FirstBlockCache or TaylorSeer; call disable_cache() first")
    with one_call_at_a_time(pipe):
        safe = record_conditioning(pipe, fresh({**call, **safe_call}))
        streams = MixedPredictions(
            pipe, safe, schedule, num_images, engaged, reuse=reuse, local=local, strengths=strengths
        )
        with streams.attached():
            output = pipe(**fresh(call))
        streams.check_complete()
    each = streams.plain_rows // num_images
    return Drawn(
        output=output,
        weights=streams.weights,
        rows=[each + extra for extra in streams.extra_rows],
        plain_rows=each,
    )


def record_conditioning(pipe: Any, call: dict[str, Any]) -> dict[str, Any]:
    """Return what the call tells the denoiser first, by name; nothing is drawn.

    The pipeline runs up to its first denoiser call: it encodes the text, and for image-to-image the
    picture. Generators, the global one too, are left as they were.

    Raises:
        SafetyFailure: The pipeline ended without a denoiser call.
    """
    recorded: list[dict[str, Any]] = []
    thread = threading.get_ident()

    def leave(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() == thread:
            recorded.append(arguments_of(module, args, kwargs))
            raise _Recorded

    generator = call.get("generator")
    generators = list(generator) if isinstance(generator, (list, tuple)) else [generator]
    with ExitStack() as undo:
        for g in generators:
            if isinstance(g, Generator):
                undo.callback(g.set_state, g.get_state())
        undo.enter_context(torch.random.fork_rng())
        undo.enter_context(_quiet(pipe))
        for module in denoisers(pipe):
            undo.callback(module.register_forward_pre_hook(_uncompiled(leave), with_kwargs=True).remove)
        try:
            pipe(**call)
        except _Recorded:
            pass
        finally:
            pipe.maybe_free_model_hooks()  # with model offload the text encoder still sits on the device
    if not recorded:
        raise SafetyFailure("the pipeline never called its denoiser on the safe prompt; nothing is drawn")
    return recorded[0]


def _uncompiled(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a hook out of the graph of a compiled denoiser: it decides by values."""
    disable: Callable[[Callable[..., Any]], Callable[..., Any]] = torch.compiler.disable
    return disable(hook)


@contextmanager
def _wrapped_step(scheduler: Any, after_step: Callable[[], None]) -> Iterator[None]:
    """Call `after_step` after each `scheduler.step` in the block; the instance's own attributes are put back."""
    step, own = scheduler.step, scheduler.__dict__.get("step")

    @functools.wraps(step)  # pipelines look at its signature
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = step(*args, **kwargs)
        after_step()
        return result

    scheduler.step = wrapped
    try:
        yield
    finally:
        if own is None:
            del scheduler.step
        else:
            scheduler.step = own


@contextmanager
def _quiet(pipe: Any) -> Iterator[None]:
    """Show no progress bar in the block."""
    before = getattr(pipe, "_progress_bar_config", None)
    pipe.set_progress_bar_config(**{**(before or {}), "disable": True})
    try:
        yield
    finally:
        if before is None:
            del pipe._progress_bar_config
        else:
            pipe._progress_bar_config = before
