"""The words of a normalised text, and what else a person may read in it: "kn1fe", "k n i f e", "kn-ife".

Further readings stand beside the words: the normalised text itself keeps its "4k" and "R2-D2".
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = re.compile(r"[^\W_]+")
PAUSE = re.compile(r"[,;.:!?|()]+")
MOST_PIECES = 12
"""Pieces of one tied word that are read together, at most: it bounds the number of readings."""
LONGEST_READING = 24
"""Letters; longer than any unsafe word of the concept lists."""
LEET = str.maketrans("0123456789@$!|+€£¢", "olzeasgtbgasiltelc")
LEET_I = str.maketrans("1|", "ii")
AT_THE_ENDS = "!|+.,;:?()\"'"
"""Stripped before leet is read: at the end of a word these are punctuation."""


@dataclass(frozen=True)
class Reading:
    """Words `start` .. `end` - 1 of a text may be read as `text`, lower case."""

    start: int
    end: int
    text: str


def read(text: str) -> tuple[list[str], list[Reading]]:
    """Return the words of a normalised text, lower case, and further readings of them.

    >>> read("a kn1fe, b-o-m-b")[0]
    ['a', 'kn1fe', 'b', 'o', 'm', 'b']
    >>> [reading.text for reading in read("a kn1fe, b-o-m-b")[1]]
    ['knlfe', 'knife', 'bo', 'bom', 'bomb', 'om', 'omb', 'mb']
    """
    words: list[str] = []
    readings: list[Reading] = []
    for chunk in text.casefold().split():
        pieces = _pieces(chunk)
        readings += _tied(pieces, len(words))
        readings += [Reading(len(words), len(words) + len(pieces), word) for word in leet(chunk) if pieces]
        words += pieces
    readings += _letters_in_a_row(words)
    return words, list(dict.fromkeys(readings))


def pauses(text: str) -> frozenset[int]:
    """Return the places of the words that `read` finds after a comma, full stop or bracket.

    >>> sorted(pauses("a man in the water, gun in hand"))
    [5]
    """
    lengths = [sum(len(_pieces(chunk)) for chunk in part.split()) for part in PAUSE.split(text.casefold())]
    return frozenset(itertools.accumulate(lengths[:-1])) - {0}


def _pieces(chunk: str) -> list[str]:
    """Return runs of letters, digits and the marks that Hindi or Thai words hold."""
    if chunk.isascii():
        return PIECE.findall(chunk)
    return "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in chunk).split()


def leet(chunk: str) -> list[str]:
    """Return what letters mixed with digits and signs spell: "kn1fe" -> ["knlfe", "knife"]."""
    chunk = chunk.strip(AT_THE_ENDS)
    if chunk.isalpha() or not any(map(str.isalpha, chunk)):
        return []
    spelt = [chunk.translate(LEET_I).translate(LEET), chunk.translate(LEET)]
    return [word for word in dict.fromkeys(reversed(spelt)) if len(word) > 2 and word.isalpha()]


def _tied(pieces: list[str], start: int) -> Iterator[Reading]:
    """Read pieces that no space parts as one word, each run of them: "cat.k.n.i.f.e" holds "knife"."""
    for first, last in itertools.combinations(range(min(len(pieces), MOST_PIECES)), 2):
        yield from _joined(pieces[first : last + 1], start + first)


def _letters_in_a_row(words: list[str]) -> Iterator[Reading]:
    """Read single letters in a row as one word; the first may be the article "a"."""
    start = 0
    for is_letter, group in itertools.groupby(words, key=lambda word: len(word) == 1):
        letters = list(group)
        for skip in (0, 1):
            if is_letter and len(letters) - skip > 2:
                yield from _joined(letters[skip:], start + skip)
        start += len(letters)


def _joined(pieces: list[str], start: int) -> Iterator[Reading]:
    word = "".join(pieces)
    if len(word) <= LONGEST_READING:
        for text in (word, *leet(word)):
            yield Reading(start, start + len(pieces), text)
