"""Common English words, to tell a misspelling and another language from English.

`english.txt` holds 44,413 lower-case words without their regular inflections: those of SCOWL up to
size 60 (English, American and British spelling; Kevin Atkinson, see english.copyright.txt) and the
whole words of BERT's uncased vocabulary (Google, Apache License 2.0), which add common names.
"""

from __future__ import annotations

from collections.abc import Callable
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
LONGEST = 24
"""Letters; no word of the list is longer."""
SHORT_WORDS = frozenset("a i an as at be by do go he in is it me my no of on or so to up us we".split())
"""Those of one or two letters that may be tied to others; the list holds any two letters, nearly."""

FUNCTION_WORDS = frozenset(
    """a an the some this that his her its of with and or in on at by to from for into under over near next beside
    behind is are was were be has have holding carrying there""".split()
)
"""What joins words and tells nothing by itself."""


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


def fewest_words(letters: str, prefers: Callable[[str], bool] = lambda word: False) -> list[str]:
    """Return the fewest English words that `letters` spell without a space: "manwithbeer" -> ["man", "with", "beer"].

    Args:
        letters: Lower-case letters.
        prefers: Says of which words there should be more, where splits have as many; they need not be English.

    Returns:
        No words where there is no such split.
    """
    best: list[tuple[int, int, int] | None] = [(0, 0, 0)]  # words up to here, less what is preferred; the last's start
    for end in range(1, len(letters) + 1):
        options = []
        for start in range(max(0, end - LONGEST), end):
            if (before := best[start]) is not None:
                word = letters[start:end]
                if (preferred := prefers(word)) or _may_be_tied(word):
                    options.append((before[0] + 1, before[1] - preferred, start))
        best.append(min(options, default=None))
    words: list[str] = []
    end = len(letters)
    while end and (last := best[end]) is not None:
        words.append(letters[last[2] : end])
        end = last[2]
    return words[::-1]


def _may_be_tied(word: str) -> bool:
    return word in SHORT_WORDS if len(word) < 3 else is_english(word)
