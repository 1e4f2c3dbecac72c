"""The data sets by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import counterpoint.datasets as package
from counterpoint.datasets.dataset import DataSet
from counterpoint.interfaces import InvalidInput


def names() -> tuple[str, ...]:
    """Return the names of all data sets: the files that hold a `load`."""
    modules = {info.name: import_module(f"{package.__name__}.{info.name}") for info in iter_modules(package.__path__)}
    return tuple(name for name, module in modules.items() if hasattr(module, "load"))


def load_data_set(name: str, options: Mapping[str, Any], limit: int | None = None) -> DataSet:
    """Load a data set.

    Args:
        name: One of `names()`.
        options: Fields of its `Options`.
        limit: Rows to take, from 1; None = all of a file.

    Raises:
        InvalidInput: The name, an option or the file is not what it must be.
    """
    if name not in names():
        raise InvalidInput("dataset", name, ", ".join(names()))
    module = import_module(f"{package.__name__}.{name}")
    known = {field.name: field for field in fields(module.Options)}
    for option in options:
        if option not in known:
            raise InvalidInput(f"{name}.{option}", options[option], f"one of {', '.join(known)}")
    for option, field in known.items():
        if field.default is MISSING and option not in options:
            raise InvalidInput(f"{name}.{option}", None, "given; this data set has no default for it")
    data: DataSet = module.load(module.Options(**options), limit)
    return data
