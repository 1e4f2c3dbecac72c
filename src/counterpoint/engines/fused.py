"""The fused engine: the pipeline's own call, in which the denoiser answers for both streams.

For a solver that is linear in the model's output, joined streams in latent space are one stream with
mixed predictions,

    (1 - w) step(z, eps(z, c)) + w step(z, eps(z, s)) = step(z, (1 - w) eps(z, c) + w eps(z, s))

so a hook on the denoiser mixes the conditional rows of the engaged pictures, and the pipeline's own
guidance and scheduler do the rest: 3 rows instead of 4, 2 before tau, and 2 where w = 1. The batch of
the pipeline is not changed, so a harmless picture in it is what the plain call draws. Guidance that is
not linear (`guidance_rescale`, the renormalisation of Qwen-Image) and schedulers that clip take the
mixed prediction as they would any other; there the two forms differ.

A step in which an engaged picture was not mixed, or a prediction that is not finite, raises: the call
returns no picture. PyTorch's own hooks are attached for one call and removed at its end.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import Module

from counterpoint.engines.conditioning import Conditioning, Match
from counterpoint.engines.denoiser import arguments_of, denoisers, num_rows, one_call_at_a_time, uncompiled
from counterpoint.engines.drawn import Drawn
from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule, mix

UNSUITABLE_CACHES = frozenset({"PyramidAttentionBroadcastConfig", "FasterCacheConfig"})
"""Caches that count the denoiser's calls: they would serve the safe rows the original's attention."""


class _Recorded(BaseException):
    """Leaves the pipeline at its first denoiser call; no Exception, so that no pipeline catches it."""


class MixedPredictions:
    """The hooks of one call: they mix the predictions and count what they did.

    Args:
        safe: Arguments of the denoiser's first call on the safe prompts, see `record_conditioning`.
        schedule: When and how strongly to mix.
        num_images: Pictures of the call, M.
        engaged: Indices of the engaged pictures.
    """

    def __init__(
        self, pipe: Any, safe: dict[str, Any], schedule: MixingSchedule, num_images: int, engaged: Sequence[int]
    ) -> None:
        self.pipe, self.safe, self.schedule = pipe, safe, schedule
        self.num_images, self.engaged = num_images, frozenset(engaged)
        self.weights: list[float] = []
        """Weight applied at each step so far; as long as the scheduler has taken steps."""
        self.plain_rows = 0
        """Rows of the pipeline's own calls, all pictures together."""
        self.extra_rows = [0] * num_images
        self._conditioning: dict[Module, Conditioning] = {}
        self._mixed: set[int] = set()  # pictures mixed in the present step
        self._todo: tuple[list[Match], dict[str, Any]] | None = None
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
        if self.weight == 1.0 and not getattr(module, "is_cache_enabled", False):
            swapped = conditioning.safe_in_place(arguments, found)
            if swapped is not None:
                return (), swapped
        self._todo = found, conditioning.safe_rows(arguments, found)
        return None

    def _after_denoiser(self, module: Module, args: tuple[Any, ...], output: Any) -> Any:
        if self._runs_safe_rows or threading.get_ident() != self._thread:
            return None
        if self._todo is not None:
            (found, arguments), self._todo = self._todo, None
            safe_output = self._run_safe_rows(module, arguments)
            output = _mix_rows(output, safe_output, [match.row for match in found], self.weight)
            for match in found:
                self.extra_rows[match.image] += 1
        if not _is_finite(output):
            raise SafetyFailure(
                f"the denoiser's prediction at step {len(self.weights)} holds NaN or infinity; nothing is drawn"
            )
        return output

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

    Returns:
        The pipeline's own output, M pictures, and what it took.

    Raises:
        InvalidInput: A cache on the denoiser does not go together with two streams.
        SafetyFailure: A step that should have been mixed was not, or a prediction is not finite.
    """
    for module in denoisers(pipe):
        cache = type(getattr(uncompiled(module), "_cache_config", None)).__name__
        if cache in UNSUITABLE_CACHES:
            raise InvalidInput("pipe", cache, "no cache, FirstBlockCache or TaylorSeer; call disable_cache() first")
    with one_call_at_a_time(pipe):
        streams = MixedPredictions(
            pipe, record_conditioning(pipe, {**call, **safe_call}), schedule, num_images, engaged
        )
        with streams.attached():
            output = pipe(**call)
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


def _mix_rows(output: Any, safe_output: Any, rows: list[int], weight: float) -> Any:
    """Mix the safe rows into a denoiser's output: a tensor, a list of rows, a tuple or a ModelOutput of them."""
    match output:
        case Tensor():
            if len(rows) == len(output):
                return mix(output, safe_output, weight)
            output = output.clone()
            output[rows] = mix(output[rows], safe_output, weight)
            return output
        case list():
            output = list(output)
            for row, safe_row in zip(rows, safe_output, strict=True):
                output[row] = mix(output[row], safe_row, weight)
            return output
        case tuple():
            return tuple(_mix_rows(a, b, rows, weight) for a, b in zip(output, safe_output, strict=True))
        case dict():  # a ModelOutput is one
            return type(output)(**{name: _mix_rows(output[name], safe_output[name], rows, weight) for name in output})
        case _:
            raise SafetyFailure(f"the denoiser returned a {type(output).__name__}, which cannot be mixed")


def _is_finite(output: Any) -> bool:
    if isinstance(output, Tensor):
        return bool(torch.isfinite(output).all())
    return all(map(_is_finite, output.values() if isinstance(output, dict) else output))


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
