"""The data sets by name; a set of one file is read from this machine (`path`) or from the hub (`hub`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import counterpoint.datasets as package
from counterpoint.datasets.dataset import DataSet
from counterpoint.interfaces import InvalidInput

HUB = "hub"
"""Option in place of `path`: "OWNER/NAME/FILE@REVISION" of the hub, as "AIML-TUDA/i2p/i2p_benchmark.csv@main"."""


def names() -> tuple[str, ...]:
    """Return the names of all data sets: the files that hold a `load`."""
    modules = {info.name: import_module(f"{package.__name__}.{info.name}") for info in iter_modules(package.__path__)}
    return tuple(name for name, module in modules.items() if hasattr(module, "load"))


def load_data_set(name: str, options: Mapping[str, Any], limit: int | None = None) -> DataSet:
    """Load a data set.

    Args:
        name: One of `names()`.
        options: Fields of its `Options`; or `hub` in place of `path`, see `HUB`.
        limit: Rows to take, from 1; None = all of a file.

    Raises:
        InvalidInput: The name, an option or the file is not what it must be.
    """
    if name not in names():
        raise InvalidInput("dataset", name, ", ".join(names()))
    module = import_module(f"{package.__name__}.{name}")
    known = {field.name: field for field in fields(module.Options)}
    if HUB in options and "path" in known:
        options = _fetched(name, options)
    for option in options:
        if option not in known:
            raise InvalidInput(f"{name}.{option}", options[option], f"one of {', '.join(known)}")
    for option, field in known.items():
        if field.default is MISSING and option not in options:
            raise InvalidInput(f"{name}.{option}", None, "given; this data set has no default for it")
    data: DataSet = module.load(module.Options(**options), limit)
    return data


def _fetched(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the path of the hub's file, which is fetched unless it lies in the hub's own cache.

    Files that are given out on request need the user's own token, as `huggingface_hub` reads it.
    """
    given = options[HUB]
    field, allowed = f"{name}.{HUB}", "OWNER/NAME/FILE of a data set, @REVISION behind it or not, and no path beside it"
    match = re.fullmatch(r"([^/@\s]+/[^/@\s]+)/([^@]+?)(?:@([^@/\s]+))?", given) if isinstance(given, str) else None
    if match is None or "path" in options:
        raise InvalidInput(field, given, allowed)
    from huggingface_hub import hf_hub_download  # here: it is not needed for files of this machine

    try:
        path = hf_hub_download(match[1], match[2], revision=match[3], repo_type="dataset")
    except Exception as error:  # no network, no such file, no permission: each of another kind
        raise InvalidInput(field, given, f"{allowed}; this one could not be had ({type(error).__name__})") from error
    return {**{option: value for option, value in options.items() if option != HUB}, "path": path}
