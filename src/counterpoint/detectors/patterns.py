"""Lists of words as regular expressions."""

from __future__ import annotations


def alternatives(*patterns: str) -> str:
    """Return one regular expression for the patterns of these lists."""
    return "|".join(" ".join(patterns).split()).replace("_", " ").replace("~", " ?")
