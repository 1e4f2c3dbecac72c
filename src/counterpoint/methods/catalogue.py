"""The methods by name: one file of this folder each, and those that other packages bring.

Another package names a module of its own, with `Options` and `build`, as an entry point:

    [project.entry-points."counterpoint.methods"]
    my_method = "my_package.my_method"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any

import counterpoint.methods as package
from counterpoint.interfaces import InvalidInput
from counterpoint.methods.method import Method

GROUP = "counterpoint.methods"


def names() -> tuple[str, ...]:
    """Return the names of all methods: the files that hold a `build`, then the entry points."""
    own = [info.name for info in iter_modules(package.__path__) if _is_method(f"{package.__name__}.{info.name}")]
    return (*own, *(name for name in sorted(_entries()) if name not in own))


def load(name: str) -> Any:
    """Return a method's module, with `Options` and `build`.

    Raises:
        InvalidInput: There is no such method.
    """
    if name not in names():
        raise InvalidInput("method", name, f"one of {', '.join(names())}")
    path = f"{package.__name__}.{name}"
    module = import_module(path) if _is_method(path) else _entries()[name].load()
    if not (hasattr(module, "Options") and hasattr(module, "build")):
        raise InvalidInput("method", name, "a module with Options and build")
    return module


def build_method(name: str, pipe: Any, options: Mapping[str, Any]) -> Method:
    """Build a method around a pipeline, which is left as it is.

    Args:
        name: One of `names()`.
        pipe: A pipeline shaped as StableDiffusionPipeline.
        options: Fields of the method's `Options`; lists, as YAML and JSON give them, become tuples.

    Raises:
        InvalidInput: There is no such method, it has no such option, or an option holds what is not allowed.
    """
    module = load(name)
    known = {field.name: field for field in fields(module.Options)}
    for option, value in options.items():
        if option not in known:
            raise InvalidInput(f"{name}.{option}", value, f"one of {', '.join(known)}" if known else "no option")
    for option, field in known.items():
        if option not in options and field.default is MISSING and field.default_factory is MISSING:
            raise InvalidInput(f"{name}.{option}", None, "given; the method has no default for it")
    given = {option: tuple(value) if isinstance(value, list) else value for option, value in options.items()}
    method: Method = module.build(pipe, module.Options(**given))
    return method


def _is_method(path: str) -> bool:
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name == path:
            return False
        raise
    return hasattr(module, "build") and hasattr(module, "Options")


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
