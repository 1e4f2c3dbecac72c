"""The network of a pipeline that predicts the noise, called by name and by one drawing at a time."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from torch.nn import Module

from counterpoint.interfaces import InvalidInput

COMPONENTS = ("unet", "transformer", "transformer_2")
"""Where diffusers pipelines keep their denoiser; Wan 2.2 has one for the noisy and one for the late steps."""
COMPANIONS = ("controlnet",)
"""Networks that hear the prompt beside the denoiser, and whose answers go into it."""
SAMPLE = ("sample", "hidden_states", "x")
"""What diffusers denoisers call their noisy latents."""

_LOCKS: WeakKeyDictionary[Any, threading.RLock] = WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


def denoisers(pipe: Any) -> list[Module]:
    """Return the pipeline's denoisers.

    Raises:
        InvalidInput: There is none under a name that this package knows.
    """
    found = [module for name in COMPONENTS if isinstance(module := getattr(pipe, name, None), Module)]
    if not found:
        raise InvalidInput("pipe", type(pipe).__name__, f"a pipeline with a denoiser, one of {', '.join(COMPONENTS)}")
    return found


def companions(pipe: Any) -> list[Module]:
    """Return the pipeline's ControlNet, several of them as one network; empty where it has none."""
    return [module for name in COMPANIONS if isinstance(module := getattr(pipe, name, None), Module)]


def splits_its_batch(module: Module) -> bool:
    """Whether attention takes the batch apart by thirds or halves (PAG): then no row can be run alone."""
    processors = getattr(uncompiled(module), "attn_processors", {})
    return any(type(processor).__name__.startswith("PAG") for processor in processors.values())


def inner_module(module: Module) -> Module:
    """Return what `torch.compile`, or a wrapper that spreads a network over devices, stands around; else itself."""
    for name in ("_orig_mod", "module"):
        inner = getattr(module, name, None)
        if isinstance(inner, Module):
            return inner
    return module


def uncompiled(module: Module) -> Module:
    """Return the network itself, without any wrapper."""
    inner = inner_module(module)
    return module if inner is module else uncompiled(inner)


def arguments_of(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a denoiser's call by name; the class names them: `forward` may be wrapped."""
    return {**dict(zip(_names(type(uncompiled(module)).forward), args, strict=False)), **kwargs}


@functools.cache
def _names(forward: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(forward).parameters)[1:]


def sample_of(arguments: dict[str, Any]) -> Any:
    """Return the noisy latents of a denoiser's call: (B, ...), or a list of B.

    Raises:
        InvalidInput: No argument is named as diffusers denoisers name them.
    """
    for name in SAMPLE:
        if name in arguments:
            return arguments[name]
    allowed = f"a denoiser whose forward names its latents, one of {', '.join(SAMPLE)}; take it out of its wrapper"
    raise InvalidInput("pipe", f"a denoiser called with {', '.join(arguments) or 'nothing'}", allowed)


def num_rows(arguments: dict[str, Any]) -> int:
    """Return the rows of a denoiser's call, B."""
    return len(sample_of(arguments))


@contextmanager
def one_call_at_a_time(pipe: Any) -> Iterator[None]:
    """Let one thread draw with these denoisers, and with this scheduler, at a time: the others wait.

    A diffusers pipeline keeps the state of the call in its scheduler and in itself, so that two
    threads on one pipeline, or on two that share a scheduler, spoil each other's pictures with or
    without a safe stream.
    """
    shared = [*(uncompiled(module) for module in denoisers(pipe)), pipe.scheduler]
    with ExitStack() as stack:
        for part in sorted(shared, key=id):  # one order: no deadlock
            with _LOCKS_LOCK:
                lock = _LOCKS.setdefault(part, threading.RLock())
            stack.enter_context(lock)
        yield
