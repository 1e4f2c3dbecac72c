"""The fused engine: the pipeline's own call, in which the denoiser answers for both streams.

For a solver that is linear in the model's output, joined streams in latent space are one stream with
mixed predictions,

    (1 - w) step(z, eps(z, c)) + w step(z, eps(z, s)) = step(z, (1 - w) eps(z, c) + w eps(z, s))

so a hook on the denoiser mixes the conditional rows of the engaged pictures, and the pipeline's own
guidance and scheduler do the rest: 3 rows instead of 4, 2 before tau, and 2 where w = 1, where the
prompt's row is not run. Where a harmless picture is in the batch, the safe rows have a call of their own,
so that it is what the plain call draws; else a small call takes them along, which is cheaper. Guidance that
is not linear (`guidance_rescale`, the renormalisation of Qwen-Image) and schedulers that clip take the mixed
prediction as they would any other; there the two forms differ. A ControlNet is mixed with: see `companion`.

Two options go beyond the method: reuse runs the safe rows at every k-th mixed step only, see `mixed_rows`;
`local_weight` gives each place its own weight.

A step in which an engaged picture was not mixed, or a prediction that is not finite, raises: the call
returns no picture. PyTorch's own hooks are attached for one call and removed at its end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch.nn import Module

from counterpoint.engines.caches import check_caches
from counterpoint.engines.callbacks import with_callbacks_aside
from counterpoint.engines.companion import Companion
from counterpoint.engines.conditioning import Conditioning, Match
from counterpoint.engines.denoiser import (
    arguments_of,
    companions,
    denoisers,
    num_rows,
    one_call_at_a_time,
    splits_its_batch,
    uncompiled,
)
from counterpoint.engines.drawn import Drawn, fresh
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.engines.mixed_rows import Call, MixedRows
from counterpoint.engines.patched import check_forwards
from counterpoint.engines.planning import Plan, beside, in_place, overheard
from counterpoint.engines.prediction import is_finite
from counterpoint.engines.recording import Recording, out_of_graph, record_conditioning
from counterpoint.engines.reuse import default_reuse
from counterpoint.engines.scheduler_step import StepWatch
from counterpoint.engines.undo import as_found
from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule


class MixedPredictions:
    """The hooks of one call: they mix the predictions and count what they did.

    Args:
        safe: First calls on the safe prompts, see `record_conditioning`.
        schedule: When and how strongly to mix.
        num_images: Pictures of the call, M.
        engaged: Indices of the engaged pictures.
        reuse: At every how many mixed steps the safe rows run, from 1; None = `default_reuse`, and 1 where `local` is
            given.
        local: Where to mix; None = everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a picture, M; None = 1 for all.
    """

    def __init__(
        self,
        pipe: Any,
        safe: Recording,
        schedule: MixingSchedule,
        num_images: int,
        engaged: Sequence[int],
        *,
        reuse: int | None = 1,
        local: LocalWeight | None = None,
        strengths: Sequence[float] | None = None,
    ) -> None:
        self.pipe, self.safe, self.schedule = pipe, safe, schedule
        self.num_images, self.engaged = num_images, frozenset(engaged)
        self._reuse, self._rows = reuse, MixedRows(local, strengths)
        self.weights: list[float] = []
        """Weight applied at each step so far; as long as the scheduler has taken steps."""
        self.plain_rows = 0
        """Rows of the pipeline's own calls, all pictures together."""
        self.extra_rows = [0] * num_images
        self._steps = StepWatch(pipe.scheduler, self._after_step)
        self._companion = Companion(safe.companions, num_images, sorted(engaged))
        self._conditioning: dict[Module, Conditioning] = {}
        self._splits: dict[Module, bool] = {}  # see `splits_its_batch`
        self._mixed: set[int] = set()  # pictures mixed in the present step
        self._todo: tuple[Call, Plan] | None = None
        """What the hook after a denoiser's call mixes."""
        self._calls_to_mix = 0  # of the present step, so far
        self._asked: list[tuple[Any, ...]] = []
        """What tells the calls of the present step apart that hold one row a picture, see `_check_apart`."""
        self._thread, self._runs_safe_rows, self._stands_aside = threading.get_ident(), False, False

    @property
    def num_steps(self) -> int:
        """Steps of the pipeline's loop, N: what it says itself, else what its scheduler holds."""
        own = getattr(self.pipe, "_num_timesteps", None)
        return int(own) if own is not None else len(self.pipe.scheduler.timesteps)

    @property
    def reuse(self) -> int:
        """At every how many mixed steps the safe rows run."""
        if self._reuse is not None:
            return self._reuse
        return 1 if self._rows.local is not None else default_reuse(self.pipe, self.num_steps)

    @property
    def weight(self) -> float:
        """Weight of the present step."""
        return self.schedule.weight_at(len(self.weights), self.num_steps)

    @property
    def is_whole(self) -> bool:
        """Whether the safe row counts alone at the present step, so that the prompt's need not run."""
        return self.weight == 1.0 and self._rows.is_even

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Attach the hooks to the denoiser and to the scheduler's step; on leaving all is as before."""
        with ExitStack() as undo:
            for module in companions(self.pipe):
                hook = out_of_graph(self._before_companion)
                undo.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
            for module in denoisers(self.pipe):
                hook = out_of_graph(self._before_denoiser)
                undo.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
                undo.callback(module.register_forward_hook(out_of_graph(self._after_denoiser)).remove)
            undo.enter_context(self._steps.attached())
            yield

    @contextmanager
    def standing_aside(self) -> Iterator[None]:
        """Count and mix nothing in the block: what a callback draws itself is none of the pipeline's steps."""
        self._stands_aside = True
        try:
            with self._steps.aside():
                yield
        finally:
            self._stands_aside = False

    @property
    def _is_foreign(self) -> bool:
        """Whether a call is none of the pipeline's own: the safe rows', a callback's, or another thread's."""
        return self._runs_safe_rows or self._stands_aside or threading.get_ident() != self._thread

    def _before_companion(
        self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._is_foreign:
            return None
        arguments = arguments_of(module, args, kwargs)
        swapped = self._companion.before(module, arguments, mixes=self.weight > 0.0, whole=self.is_whole)
        return None if swapped is None else ((), swapped)

    def _before_denoiser(
        self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._is_foreign:
            return None
        arguments = arguments_of(module, args, kwargs)
        self.plain_rows += num_rows(arguments)
        network = uncompiled(module)
        if network not in self._conditioning:
            self._conditioning[network] = Conditioning(
                arguments, self.safe.denoiser, self.num_images, sorted(self.engaged)
            )
            self._splits[network] = splits_its_batch(network)
        conditioning, self._todo = self._conditioning[network], None
        found = conditioning.find(arguments) if self.weight > 0.0 else []
        if not found:  # before tau, or a call of unconditional rows
            self._overhear(network, arguments)
            return None
        self._check_apart(network, arguments)
        self._companion.check(arguments)
        self._mixed |= {match.image for match in found}
        # A cache holds features of the prompt's own rows: safe rows in their place would be served them.
        shares_calls = not getattr(module, "is_cache_enabled", False) and not self._companion.waits
        plan = in_place(conditioning, arguments, found) if self.is_whole and shares_calls else None
        if plan is None:
            call = self._next_call(network)
            plan = self._known(call, found)
            if plan is None:
                may_join = shares_calls and len(self.engaged) == self.num_images
                plan = beside(conditioning, arguments, found, splits=self._splits[network], may_join=may_join)
            self._todo = call, plan
        self._count(plan)
        return None if plan.arguments is None else ((), plan.arguments)

    def _overhear(self, network: Module, arguments: dict[str, Any]) -> None:
        """Mix a negative prompt's call where a ControlNet's answers to the prompt go into it."""
        found = self._companion.overheard(arguments) if self.weight > 0.0 else []
        if found:
            call = self._next_call(network)
            plan = self._known(call, found) or overheard(self._conditioning[network], arguments, found)
            self._todo = call, plan
            self._count(plan)

    def _next_call(self, network: Module) -> Call:
        self._calls_to_mix += 1
        return network, self._calls_to_mix - 1

    def _count(self, plan: Plan) -> None:
        for image in plan.extra:
            self.extra_rows[image] += 1

    def _check_apart(self, network: Module, arguments: dict[str, Any]) -> None:
        """Raise where a pipeline with a call for each prompt asks the same twice: one of them is a negative prompt."""
        if num_rows(arguments) != self.num_images:
            return
        named = sorted(arguments.items())
        asked = (network, *((name, value) for name, value in named if isinstance(value, (int, float, str, tuple))))
        asked += tuple((name, tuple(value)) for name, value in named if _is_list_of_numbers(value))
        if self._conditioning[network].is_separate and asked in self._asked:
            allowed = "another text than the prompt: this pipeline has a call for each, and they cannot be told apart"
            raise InvalidInput("negative_prompt", "what the prompt says", allowed)
        self._asked.append(asked)

    def _known(self, call: Call, found: list[Match]) -> Plan | None:
        """Return the plan in which what an earlier step found out serves; None where the safe rows have to run."""
        is_due = self.is_whole or sum(weight > 0.0 for weight in self.weights) % self.reuse == 0
        return None if is_due else self._rows.known(call, found)

    def _after_denoiser(self, module: Module, args: tuple[Any, ...], output: Any) -> Any:
        if self._is_foreign:
            return None
        if self._todo is not None:
            (call, plan), self._todo = self._todo, None
            safe_output = output if plan.safe_arguments is None else self._safe_output(module, plan, f"safe {call[1]}")
            keeps = self.reuse > 1
            output = self._rows.mix(output, safe_output, call, plan, weight=self.weight, keeps=keeps)
        if not is_finite(output):
            raise SafetyFailure(
                f"the denoiser's prediction at step {len(self.weights)} holds NaN or infinity; nothing is drawn"
            )
        return output

    def _safe_output(self, module: Module, plan: Plan, context: str) -> Any:
        """Run the safe rows' own call; a cache keeps what it makes of it under the name `context`."""
        assert plan.safe_arguments is not None
        arguments = self._companion.with_safe_answers(plan.safe_arguments, plan.places, plan.found, self._run_apart)
        return self._run_apart(module, arguments, context)

    def _run_apart(self, module: Any, arguments: dict[str, Any], context: str = "safe") -> Any:
        self._runs_safe_rows = True
        try:
            if getattr(module, "is_cache_enabled", False):  # a cache keeps one state per context
                with module.cache_context(context):
                    return module(**arguments)
            return module(**arguments)
        finally:
            self._runs_safe_rows = False

    def _after_step(self) -> None:
        """Count the scheduler's step; raise where it was fed a prediction that should have been mixed."""
        if self._is_foreign:
            return
        step, weight = len(self.weights), self.weight
        missing = self.engaged - self._mixed if weight > 0.0 else set()
        if missing:
            raise SafetyFailure(
                f"the safe stream of picture {min(missing)} did not run at step {step}; nothing is drawn"
            )
        self._mixed.clear()
        self._asked.clear()
        self._calls_to_mix = 0
        self.weights.append(weight)

    def check_complete(self) -> None:
        """Raise SafetyFailure unless every step was taken, some were mixed, and the safe prompts were heard."""
        if len(self.weights) != self.num_steps or not any(self.weights):
            raise SafetyFailure(
                f"the streams were mixed in {len(self.weights)} of {self.num_steps} steps; nothing is returned"
            )
        if deaf := self._rows.deaf:
            raise SafetyFailure(
                f"the denoiser answered the safe prompt of picture {min(deaf)} as its prompt; nothing is returned"
            )


def _is_list_of_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, (int, float)) for part in value)


def run(
    pipe: Any,
    call: dict[str, Any],
    safe_call: dict[str, Any],
    schedule: MixingSchedule,
    *,
    num_images: int,
    engaged: Sequence[int],
    reuse: int | None = 1,
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
            predictions is kept. 1 = at each, None = `default_reuse`, and 1 where `local` is given. Without effect
            where the weight is 1: there the safe stream is all that counts.
        local: Where to mix; None = everywhere.
        strengths: Fraction 0..1 of the weight that counts, one a picture, M; None = 1 for all.

    Returns:
        The pipeline's own output, M pictures, and what it took.

    Raises:
        InvalidInput: A cache or another `forward` on the denoiser does not go together with two streams, packed latents
            are to be smoothed, or a negative prompt cannot be told from its prompt.
        SafetyFailure: A step that should have been mixed was not, or a prediction is not finite.
    """
    check_caches(pipe)
    check_forwards(pipe)
    with one_call_at_a_time(pipe):
        safe = record_conditioning(pipe, fresh({**call, **safe_call}))
        streams = MixedPredictions(
            pipe, safe, schedule, num_images, engaged, reuse=reuse, local=local, strengths=strengths
        )
        with streams.attached(), as_found(pipe):
            output = pipe(**with_callbacks_aside(fresh(call), streams.standing_aside))
        streams.check_complete()
    each = streams.plain_rows // num_images
    return Drawn(
        output=output,
        weights=streams.weights,
        rows=[each + extra for extra in streams.extra_rows],
        plain_rows=each,
        reuse=streams.reuse,
    )
