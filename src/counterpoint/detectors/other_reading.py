"""What else a person reads in a prompt, as English words: "kn1fe" and "k n i f e"."""

from __future__ import annotations

import itertools

from counterpoint.detectors.english import fewest_words, is_english
from counterpoint.normalise.words import read

FEWEST_LETTERS = 4
"""Single letters in a row from which they are read as words: fewer may be initials."""


def other_reading(text: str) -> str | None:
    """Return the text with "kn1fe" and "k n i f e" read as words; None where nothing is to be read so."""
    words, readings = read(text)
    chosen: list[tuple[int, int, str]] = []
    taken: set[int] = set()
    for reading in sorted(readings, key=lambda r: (r.start - r.end, -len(r.text))):
        places = range(reading.start, reading.end)
        if taken.isdisjoint(places) and len(reading.text) > 2 and is_english(reading.text):
            chosen.append((reading.start, reading.end, reading.text))
            taken.update(places)
    for start, end, word in sorted(chosen, reverse=True):
        words[start:end] = [word]
    told = [word for is_letter, run in itertools.groupby(words, key=_is_letter) for word in _told(is_letter, [*run])]
    return " ".join(told) if chosen or told != words else None


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word.isalpha()


def _told(is_letter: bool, run: list[str]) -> list[str]:
    """Return the words that a run of single letters spells: "a m a n a n d a k n i f e" -> "a man and a knife".

    The fewest English words that use all letters; the run itself where there are none.
    """
    if not is_letter or len(run) < FEWEST_LETTERS:
        return run
    return fewest_words("".join(run)) or run
