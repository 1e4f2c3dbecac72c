"""Caches of a denoiser's features between steps, and which of them go together with two streams."""

from __future__ import annotations

import re
from typing import Any

from torch.nn import Module

from counterpoint.engines.denoiser import denoisers, uncompiled
from counterpoint.interfaces import InvalidInput

SUITABLE = frozenset({"FirstBlockCacheConfig", "TaylorSeerCacheConfig"})
"""They keep one state per context, so that the safe rows can have one of their own; others count calls."""
HOOK = re.compile(r"cache|^fbc_|attention_broadcast")
"""How diffusers calls the hooks of its caches."""


def is_cached(pipe: Any) -> bool:
    """Whether a cache was enabled on a denoiser."""
    return any(_enabled(module) is not None for module in denoisers(pipe))


def check_caches(pipe: Any) -> None:
    """Check the caches of the denoisers.

    Raises:
        InvalidInput: There is one that would serve the safe rows the prompt's features: of another kind, or
            not enabled by `enable_cache`, so that it keeps one state for all rows.
    """
    for module in denoisers(pipe):
        cache, hooks = _enabled(module), _hooks(module)
        if cache is not None and type(cache).__name__ not in SUITABLE:
            allowed = "no cache, FirstBlockCache or TaylorSeer; call disable_cache() first"
            raise InvalidInput("pipe", type(cache).__name__, allowed)
        if cache is None and hooks:
            allowed = "no cache, or one that enable_cache() has put there: FirstBlockCache or TaylorSeer"
            raise InvalidInput("pipe", f"a denoiser with {hooks[0]}", allowed)


def _enabled(module: Module) -> Any:
    """Return the configuration that `enable_cache` was given; None without a cache."""
    return getattr(uncompiled(module), "_cache_config", None)


def _hooks(module: Module) -> list[str]:
    """Return the names of the caches' hooks on any part of a denoiser."""
    registries = [getattr(part, "_diffusers_hook", None) for part in uncompiled(module).modules()]
    return [name for registry in registries if registry is not None for name in registry.hooks if HOOK.search(name)]
