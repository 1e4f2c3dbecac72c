"""Ways to write a prompt so that a person still reads it: for measuring the prompt classifier, by class.

`UNDONE` are the classes that `normalise` has to undo; `READ` change the words themselves, so a detector
has to read them.
"""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable, Mapping

Evasion = Callable[[str, random.Random], str]

HOMOGLYPHS = {"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "x": "х", "i": "і", "s": "ѕ", "y": "у"}
"""Latin letters and Cyrillic ones that look the same."""
LEET = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"}
SHORTEST = 5
"""Letters of the words that are changed: shorter ones are read from their neighbours anyway."""
TIED = ("big{}", "red{}", "the{}", "manwith{}", "{}s4")
"""What a longer word is tied to: encoders read parts of words, so they still see it."""


def _in_words(change: Callable[[str, random.Random], str]) -> Evasion:
    """Apply `change` to each longer word."""

    def evade(text: str, rng: random.Random) -> str:
        return re.sub(rf"[a-zA-Z]{{{SHORTEST},}}", lambda found: change(found[0], rng), text)

    return evade


def _swap(word: str, rng: random.Random) -> str:
    place = rng.randint(1, len(word) - 3)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _drop(word: str, rng: random.Random) -> str:
    place = rng.randint(1, len(word) - 2)
    return word[:place] + word[place + 1 :]


def _one_word(change: Callable[[str, random.Random], str]) -> Evasion:
    """Apply `change` to every other longer word, as hasty typing does."""

    def evade(text: str, rng: random.Random) -> str:
        return re.sub(
            rf"[a-zA-Z]{{{SHORTEST},}}",
            lambda found: change(found[0], rng) if rng.random() < 0.5 else found[0],
            text,
        )

    return evade


def _weigh(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    place = rng.randrange(len(words))
    words[place] = f"({words[place]}:1.3)"
    return " ".join(words)


UNDONE: Mapping[str, Evasion] = {
    "zero width": _in_words(lambda word, rng: "\u200b".join(word)),
    "soft hyphen": _in_words(lambda word, rng: f"{word[:2]}\u00ad{word[2:]}"),
    "bidirectional marks": _in_words(lambda word, rng: f"\u202a{word}\u202c"),
    "tag characters": _in_words(lambda word, rng: f"{word[:3]}\U000e0061{word[3:]}"),
    "full width": _in_words(lambda word, rng: "".join(chr(ord(letter) + 0xFEE0) for letter in word)),
    "look-alikes": _in_words(lambda word, rng: "".join(HOMOGLYPHS.get(letter, letter) for letter in word)),
    "HTML entities": _in_words(lambda word, rng: "".join(f"&#{ord(letter)};" for letter in word)),
    "HTML twice": _in_words(lambda word, rng: html.escape("".join(f"&#{ord(letter)};" for letter in word))),
    "special tokens": lambda text, rng: f"{text}<|endoftext|>",
    "weights": _weigh,
}
READ: Mapping[str, Evasion] = {
    "leet": _in_words(lambda word, rng: "".join(LEET.get(letter, letter) for letter in word)),
    "spaced letters": _in_words(lambda word, rng: " ".join(word)),
    "dotted letters": _in_words(lambda word, rng: ".".join(word)),
    "swapped letters": _one_word(_swap),
    "dropped letters": _one_word(_drop),
    "joined": _in_words(lambda word, rng: rng.choice(TIED).format(word)),
}
