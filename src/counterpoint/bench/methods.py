"""Build the methods of a recipe: those of the package, and your own by "module:function"."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from counterpoint.interfaces import InvalidInput
from counterpoint.methods.catalogue import build_method, load
from counterpoint.methods.method import Method

KEPT_WEIGHTS = "folder"
"""Option of the methods that edit weights: where they keep them."""


def build(name: str, pipe: Any, options: Mapping[str, Any], *, weights: Path) -> Method:
    """Build a method around a pipeline, which it must leave as it is.

    Args:
        name: One of `counterpoint.methods`, or "module:function" with a function `(pipe, **options)`.
        pipe: A diffusers pipeline.
        options: The method's options.
        weights: Where a method that edits weights keeps them, unless its options say so themselves; a benchmark
            builds a method twice, to learn its recipe and to draw.

    Raises:
        InvalidInput: There is no such method, or it does not take an option.
    """
    if ":" not in name:
        keeps = KEPT_WEIGHTS in {field.name for field in fields(load(name).Options)}
        return build_method(name, pipe, {KEPT_WEIGHTS: str(weights), **options} if keeps else options)
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput("method", name, f"module:function that can be imported ({error})") from error
    known = list(inspect.signature(function).parameters)[1:]
    for option in options:
        if option not in known:
            raise InvalidInput(f"{name}.{option}", options[option], f"one of {', '.join(known)}" if known else "none")
    method: Method = function(pipe, **options)
    return method
