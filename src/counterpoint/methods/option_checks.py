"""Checks that the methods' options share; each names the option in its error."""

from __future__ import annotations

import math

from counterpoint.interfaces import InvalidInput


def check_number(name: str, value: object, low: float, high: float = math.inf) -> None:
    """Raise InvalidInput unless `value` is a finite number low..high."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high or math.isinf(value):
        raise InvalidInput(name, value, f"a number {low:g}..{high:g}" if high < math.inf else f"a number from {low:g}")


def check_count(name: str, value: object, low: int) -> None:
    """Raise InvalidInput unless `value` is a whole number from `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InvalidInput(name, value, f"a whole number from {low}")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise InvalidInput unless `value` is one of `allowed`."""
    if value not in allowed:
        raise InvalidInput(name, value, f"one of {', '.join(allowed)}")
