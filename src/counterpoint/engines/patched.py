"""Networks whose `forward` somebody replaced: a cache that sits there serves the safe rows the prompt's features.

TeaCache, DeepCache and others of that kind keep features from one call to the next and know of one stream only. No
number tells them from the network itself, so a replaced `forward` is refused, unless whoever replaced it says

    forward.keeps_no_features = True
"""

from __future__ import annotations

import functools
import types
from collections.abc import Set
from typing import Any

from torch.nn import Module

from counterpoint.engines.denoiser import denoisers, uncompiled
from counterpoint.interfaces import InvalidInput

TRUSTED = "keeps_no_features"
"""Attribute of a replaced `forward` that makes no difference between two streams."""

WRAPPERS = frozenset({"accelerate", "diffusers", "torch._dynamo"})
"""Packages whose wrappers keep nothing, or are checked by `caches`."""
PACKAGES = frozenset({"accelerate", "diffusers", "peft", "torch", "transformers"})
"""Packages whose functions may be the `forward` of a class of theirs."""


def check_forwards(pipe: Any) -> None:
    """Check that the denoisers and all their parts compute what their classes say.

    Offload, diffusers' own hooks and `torch.compile` stand around the class's `forward` and are looked through.

    Raises:
        InvalidInput: A `forward` is another function, of an object or of its class.
    """
    for network in denoisers(pipe):
        for name, module in uncompiled(network).named_modules():
            if _is_foreign(module):
                where = f"{type(uncompiled(network)).__name__}{'.' if name else ''}{name}"
                allowed = f"the class's own: one that keeps features between calls would serve both streams the same; \
set forward.{TRUSTED} = True on one that keeps none"
                raise InvalidInput("pipe", f"another forward on {where}", allowed)


def _is_foreign(module: Module) -> bool:
    if hasattr(module, "_orig_mod"):  # torch.compile of a part
        return False
    own = vars(module).get("forward")
    function = type(module).forward if own is None else _innermost(own)
    if getattr(function, TRUSTED, False) is True:
        return False
    definer = next(cls for cls in type(module).__mro__ if "forward" in vars(cls))
    return function is not vars(definer)["forward"] or not _is_from(function, PACKAGES | {definer.__module__})


def _innermost(forward: Any) -> Any:
    """Return the function that offload, diffusers' hooks and `torch.compile` were put around on an object."""
    while not isinstance(forward, types.MethodType):
        outer = forward.func if isinstance(forward, functools.partial) else forward
        if not hasattr(forward, "__wrapped__") or not _is_from(outer, WRAPPERS):
            return forward
        forward = forward.__wrapped__
    return forward.__func__


def _is_from(function: Any, homes: Set[str]) -> bool:
    """Whether a function's code stands in one of some modules or packages, whatever name it was given since."""
    function = getattr(function, "__func__", function)
    home: str | None = getattr(function, "__globals__", {}).get("__name__")
    return home is None or any(home == name or home.startswith(f"{name}.") for name in homes)
