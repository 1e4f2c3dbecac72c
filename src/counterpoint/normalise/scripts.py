"""Which script a letter is written in, by its Unicode name."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """Return the first word of the letter's name: "Latin", "Cyrillic", "Cjk", "Arabic", ..."""
    return unicodedata.name(letter, "Unknown").split()[0].split("-")[0].capitalize()


def foreign_words(text: str) -> dict[str, tuple[str, ...]]:
    """Return the words of `text` that hold letters of another script than Latin, by script.

    One Greek letter alone is a symbol, as in "alpha particles", and no word.
    """
    found: dict[str, list[str]] = {}
    for word in text.split():
        letters = [c for c in word if c.isalpha() and not c.isascii()]
        for script in dict.fromkeys(map(script_of, letters)):
            if script == "Latin" or (script == "Greek" and len(letters) == 1 == sum(map(str.isalpha, word))):
                continue
            found.setdefault(script, []).append(word)
    return {script: tuple(dict.fromkeys(words)) for script, words in found.items()}
