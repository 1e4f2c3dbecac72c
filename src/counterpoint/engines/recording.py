"""What a call tells the denoiser first: the pipeline is run up to there, and nothing is drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator
from torch.nn import Module

from counterpoint.engines.denoiser import arguments_of, companions, denoisers, uncompiled
from counterpoint.engines.undo import as_found
from counterpoint.interfaces import SafetyFailure


class _Recorded(BaseException):
    """Leaves the pipeline at its first denoiser call; no Exception, so that no pipeline catches it."""


@dataclass(frozen=True)
class Recording:
    """The first calls of a run, arguments by name."""

    denoiser: dict[str, Any]
    companions: dict[Module, dict[str, Any]]
    """The ControlNet's, by the network; empty where there is none."""


def record_conditioning(pipe: Any, call: dict[str, Any]) -> Recording:
    """Return what the call tells the denoiser, and a ControlNet before it, at the first step.

    The pipeline runs up to its first denoiser call: it encodes the text, and for image-to-image the
    picture. Generators, the global one too, are left as they were.

    Raises:
        SafetyFailure: The pipeline ended without a denoiser call.
    """
    recorded: list[dict[str, Any]] = []
    before: dict[Module, dict[str, Any]] = {}
    thread = threading.get_ident()

    def leave(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() == thread:
            recorded.append(arguments_of(module, args, kwargs))
            raise _Recorded

    def note(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() == thread:
            before.setdefault(uncompiled(module), arguments_of(module, args, kwargs))

    generator = call.get("generator")
    generators = list(generator) if isinstance(generator, (list, tuple)) else [generator]
    with ExitStack() as undo:
        for g in generators:
            if isinstance(g, Generator):
                undo.callback(g.set_state, g.get_state())
        undo.enter_context(_forked_noise(pipe._execution_device))
        undo.enter_context(_quiet(pipe))
        for hook, modules in ((leave, denoisers(pipe)), (note, companions(pipe))):
            for module in modules:
                undo.callback(module.register_forward_pre_hook(out_of_graph(hook), with_kwargs=True).remove)
        try:
            with as_found(pipe):
                pipe(**call)
        except _Recorded:
            pass
    if not recorded:
        raise SafetyFailure("the pipeline never called its denoiser on the safe prompt; nothing is drawn")
    return Recording(denoiser=recorded[0], companions=before)


def out_of_graph(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a hook out of the graph of a compiled network: it decides by values."""
    disable: Callable[[Callable[..., Any]], Callable[..., Any]] = torch.compiler.disable
    return disable(hook)


def _forked_noise(device: torch.device) -> AbstractContextManager[None]:
    """Put the global generators back after the block: the CPU's and that of the pipeline's device, no other."""
    if device.type == "cpu":
        return torch.random.fork_rng(devices=[])
    index = torch.get_device_module(device).current_device() if device.index is None else device.index
    return torch.random.fork_rng(devices=[index], device_type=device.type)


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
