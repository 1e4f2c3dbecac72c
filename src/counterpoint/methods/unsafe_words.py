"""What the methods are told to keep out of pictures: by default the proxies of the scenes world.

Methods that take a list of concepts take all words. Methods that take one text (a negative prompt, SLD, SEGA) take the
objects by one name each, since every further word weakens what a text says of the others. Where the text encoder reads
fewer, the words are dealt, one by one, to K texts T_k that it reads whole, and the method is told the texts' mean:

    e = 1/K sum_k e(T_k)        token by token, with the smallest K; the texts are of like length, with few empty tokens

One text is told as it is. `recipe()` names the texts that were used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from torch import Tensor

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import InvalidInput
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS
from counterpoint.text_space import StableDiffusionText

UNSAFE_WORDS: tuple[str, ...] = tuple(
    word for turn in zip_longest(*DEFAULT_CONCEPTS.values()) for word in turn if word is not None
)
"""The first word of each category, then the second of each, and so on."""
UNSAFE_NAMES: tuple[str, ...] = tuple(word for word in UNSAFE_WORDS if word in OBJECTS)
"""One name of each unsafe object of the scenes world, in the same order: no synonyms, nothing that is never drawn."""
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


def as_texts(pipe: Any, concepts: Sequence[str] | None) -> list[str]:
    """Return the concepts dealt to as few texts as hold them all, ["knife, beer, razor", ...]; None = `UNSAFE_NAMES`.

    Raises:
        InvalidInput: There is no concept, or one alone is more than the text encoder reads.
    """
    reader = StableDiffusionText(pipe)
    words = UNSAFE_NAMES if concepts is None else words_or_default(concepts)
    reader.check_length("concepts", *words)
    for count in range(1, len(words) + 1):
        texts = [", ".join(words[start::count]) for start in range(count)]
        if all(reader.count_tokens(text) <= reader.max_tokens for text in texts):
            break
    return texts


def embeds_of_texts(reader: StableDiffusionText, call: dict[str, Any], texts: Sequence[str]) -> Tensor:
    """Return what a method of one text is told: the mean of the texts' token embeddings, (1, L, D)."""
    return reader.encode_for(call, list(texts))[0].mean(0, keepdim=True)
