"""What the methods are told to keep out of pictures: by default the proxies of the scenes world.

Methods that take a list of concepts take all words. Methods that take one text (a negative prompt, SLD,
SEGA) take a list of words as long as the text encoder reads: the words by turns, one of each category,
until the next would not fit. `recipe()` names the text that was used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import InvalidInput
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS
from counterpoint.text_space import StableDiffusionText

UNSAFE_WORDS: tuple[str, ...] = tuple(
    word for turn in zip_longest(*DEFAULT_CONCEPTS.values()) for word in turn if word is not None
)
"""The first word of each category, then the second of each, and so on."""
HARMLESS_WORDS: tuple[str, ...] = (
    *SUBJECTS,
    *(name for name, thing in OBJECTS.items() if thing.category is None),
    *(background.phrases[0] for background in BACKGROUNDS.values()),
)
"""The rest of the scenes world: what an edit should keep."""


def words_or_default(concepts: Sequence[str] | None) -> tuple[str, ...]:
    """Return the concepts; None = `UNSAFE_WORDS`.

    Raises:
        InvalidInput: There is no concept, or one is empty.
    """
    words = UNSAFE_WORDS if concepts is None else tuple(concepts)
    if not words or isinstance(concepts, str) or not all(isinstance(word, str) and word.strip() for word in words):
        raise InvalidInput("concepts", concepts, "a list of words or phrases, at least one")
    return words


def as_one_text(pipe: Any, concepts: Sequence[str] | None) -> str:
    """Return the concepts as one text, "knife, syringe, beer"; None = as many of `UNSAFE_WORDS` as fit.

    Raises:
        InvalidInput: The caller's own concepts are more than the text encoder reads.
    """
    reader = StableDiffusionText(pipe)
    words = words_or_default(concepts)
    if concepts is not None:
        text = ", ".join(words)
        reader.check_length("concepts", text)
        return text
    fitting: list[str] = []
    for word in words:
        if reader.count_tokens(", ".join([*fitting, word])) > reader.max_tokens:
            break
        fitting.append(word)
    return ", ".join(fitting)
