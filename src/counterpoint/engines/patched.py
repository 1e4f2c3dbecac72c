"""Networks whose `forward` somebody replaced: a cache that sits there serves the safe rows the prompt's features.

TeaCache, DeepCache, T-GATE and others of that kind keep features from one call to the next and know of one stream only.
No number tells them from the network itself, so a replaced `forward`, a wrapper and an attention processor of nobody's
package are refused, unless whoever made them says

    forward.keeps_no_features = True        or, on the class of a wrapper or of a processor, keeps_no_features = True

What is a class of somebody's own, made to be the denoiser, is taken for what it says it is.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Set
from typing import Any

from torch.nn import Module

from counterpoint.engines.denoiser import companions, denoisers, inner_module
from counterpoint.interfaces import InvalidInput

TRUSTED = "keeps_no_features"
"""Attribute of what makes no difference between two streams, though it is of nobody's package."""
PACKAGES = frozenset({"accelerate", "diffusers", "peft", "torch", "transformers"})
"""Packages whose functions may be the `forward` of a class of theirs."""
WRAPPERS = frozenset(
    {"accelerate", "diffusers", "transformers", "torch._dynamo", "torch.amp", "torch.utils._contextlib"}
)
"""Packages whose wrappers around a function keep nothing, or are checked by `caches`."""


def check_forwards(pipe: Any) -> None:
    """Check that the denoisers, a ControlNet and all their parts compute what their classes say.

    Offload, diffusers' own hooks, autocast and `torch.compile` stand around a `forward` and are looked through.

    Raises:
        InvalidInput: A `forward` is another function, of an object or of its class; or a wrapper around a network or an
            attention processor is of nobody's package.
    """
    for outer in (*denoisers(pipe), *companions(pipe)):
        network = outer
        while (inner := inner_module(network)) is not network:
            _require(_is_from_package(type(network)), f"{type(network).__name__} around {type(inner).__name__}")
            network = inner
        for name, module in network.named_modules():
            where = f"{type(network).__name__}{'.' if name else ''}{name}"
            _require(not _is_foreign(module), f"another forward on {where}")
            processor = getattr(module, "processor", None)
            is_known = processor is None or isinstance(processor, Module) or _is_from_package(type(processor))
            _require(is_known, f"{type(processor).__name__} as the processor of {where}")


def _require(is_known: bool, found: str) -> None:
    if not is_known:
        allowed = "what diffusers, transformers, accelerate, peft and torch put there: one that keeps features between \
calls would serve both streams the same"
        raise InvalidInput("pipe", found, f"{allowed}; set {TRUSTED} = True on one that keeps none")


def _is_from_package(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in PACKAGES or getattr(cls, TRUSTED, False) is True


def _is_foreign(module: Module) -> bool:
    if inner_module(module) is not module:  # torch.compile of a part
        return False
    definer = next(cls for cls in type(module).__mro__ if "forward" in vars(cls))
    of_class = list(_unwrapped(vars(definer)["forward"]))
    if (own := vars(module).get("forward")) is not None:
        bare = list(_unwrapped(own))
        if any(getattr(function, TRUSTED, False) is True for function in bare):
            return False
        if bare[-1] not in of_class:
            return True
    is_trusted = any(getattr(function, TRUSTED, False) is True for function in of_class)
    return not (is_trusted or _is_from(of_class[-1], PACKAGES | {definer.__module__}))


def _unwrapped(forward: Any) -> Iterator[Any]:
    """Yield a function, and what known wrappers were put around, the innermost one last."""
    while True:
        forward = forward.__func__ if isinstance(forward, types.MethodType) else forward
        yield forward
        outer = forward.func if isinstance(forward, functools.partial) else forward
        if not hasattr(forward, "__wrapped__") or not _is_from(outer, WRAPPERS):
            return
        forward = forward.__wrapped__


def _is_from(function: Any, homes: Set[str]) -> bool:
    """Whether a function's code, or an object's class, stands in one of some modules, whatever its name is since."""
    home: str = getattr(function, "__globals__", {}).get("__name__") or type(function).__module__
    return any(home == name or home.startswith(f"{name}.") for name in homes)
