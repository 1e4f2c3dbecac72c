"""A callback of the user's own in a mixed call: what it draws itself is none of the call's steps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback

CALLBACKS = ("callback_on_step_end", "callback")
"""What diffusers calls them; PixArt has the second, older one."""
StandsAside = Callable[[], AbstractContextManager[None]]


class _Aside:
    """One of diffusers' own kind, as an entry of its list of callbacks, which pipelines know by their class."""

    def __init__(self, callback: Any, stands_aside: StandsAside) -> None:
        self.tensor_inputs = callback.tensor_inputs
        self._callback, self._stands_aside = callback, stands_aside

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._stands_aside():
            return self._callback(*args, **kwargs)


def with_callbacks_aside(call: dict[str, Any], stands_aside: StandsAside) -> dict[str, Any]:
    """Return the call with its callbacks run inside of `stands_aside()`.

    Args:
        call: The pipeline's arguments.
        stands_aside: Gives a context in which no hook counts or mixes.
    """
    changed = dict(call)
    for name in CALLBACKS:
        callback = call.get(name)
        if isinstance(callback, (PipelineCallback, MultiPipelineCallbacks)):
            changed[name] = MultiPipelineCallbacks([_Aside(callback, stands_aside)])
        elif callback is not None:
            changed[name] = _wrapped(callback, stands_aside)
    return changed


def _wrapped(callback: Callable[..., Any], stands_aside: StandsAside) -> Callable[..., Any]:
    @functools.wraps(callback)
    def aside(*args: Any, **kwargs: Any) -> Any:
        with stands_aside():
            return callback(*args, **kwargs)

    return aside
