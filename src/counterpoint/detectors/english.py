"""Common English words, to tell a misspelling and another language from English.

`english.txt` holds 44,413 lower-case words without their regular inflections: those of SCOWL up to
size 60 (English, American and British spelling; Kevin Atkinson, see english.copyright.txt) and the
whole words of BERT's uncased vocabulary (Google, Apache License 2.0), which add common names.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

PATH = Path(__file__).with_name("english.txt")
ENDINGS = (
    ("ves", ("f", "fe")),
    ("ies", ("y",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ing", ("", "e")),
    ("ed", ("", "e")),
    ("er", ("", "e")),
    ("ly", ("",)),
)

SHORTEST_COMPOUND = 8
"""Letters: shorter foreign words fall into English ones too often."""


@cache
def common_words() -> frozenset[str]:
    """Return the words, lower case."""
    return frozenset(PATH.read_text(encoding="utf-8").split())


def stems(word: str) -> tuple[str, ...]:
    """Return `word` and what it may be an inflection of: "knives" -> ("knives", "knif", "knife", ...)."""
    cut = (word[: -len(end)] + new for end, stems in ENDINGS if word.endswith(end) for new in stems)
    return (word, *dict.fromkeys(stem for stem in cut if len(stem) > 2))


def singulars(word: str) -> tuple[str, ...]:
    """Return `word` and what it may be the plural of: "knives" -> ("knives", "knif", "knife", ...)."""
    return stems(word) if word.endswith("s") else (word,)


@lru_cache(maxsize=1 << 15)
def is_english(word: str) -> bool:
    """Whether a lower-case word, or a word that it may be an inflection of, is common in English."""
    return any(stem in common_words() for stem in stems(word))


def is_compound(word: str) -> bool:
    """Whether a lower-case word is two English ones of three letters or more, as "cityscape"; 8 letters at least."""
    return len(word) >= SHORTEST_COMPOUND and any(
        is_english(word[:cut]) and is_english(word[cut:]) for cut in range(3, len(word) - 2)
    )
