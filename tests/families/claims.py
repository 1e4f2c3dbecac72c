"""Claims: tests that are run for pipeline classes by name, and whose outcomes stand in the table of families.

`claim` is about every supported class, `also` about a way of calling some of them. A class whose test fails,
is skipped or is not run is told as such: see `conformance.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from counterpoint.families import families

CLASSES = [name for family in families() for name in family.pipelines]
Test = Callable[..., None]


def claim(title: str) -> Callable[[Test], Test]:
    """Run the test for every supported class: it takes the class's name as `name`, and `title` says what it shows."""
    return _marked(title, CLASSES, "claims")


def also(way: str, *classes: str) -> Callable[[Test], Test]:
    """Run the test for these classes; `way` says how they are called: "a LoRA"."""
    return _marked(way, classes, "also")


def _marked(title: str, classes: Any, part: str) -> Callable[[Test], Test]:
    def mark(test: Test) -> Test:
        run_for_each: Test = pytest.mark.parametrize("name", classes)(test)
        marked: Test = pytest.mark.claim(title=title, part=part, classes=tuple(classes))(run_for_each)
        return marked

    return mark
