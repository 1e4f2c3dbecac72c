"""One reading of a text, for the gate: what hides words is undone, and no word is dropped.

    >>> normalise("a c\N{CYRILLIC SMALL LETTER A}t with a (kn\\u200bife:1.3)<|endoftext|>")
    'a cat with a (knife)'

The text encoder gets the prompt as it was typed, so the gate has to read at least what the encoder
reads: no step drops a word, but for names of special tokens, of accents and of plain marks
("&eacute;", "&quot;"). Safe prompts are made from the normalised text.

Each step is a pure function in a file of its own and does one thing; together they leave plain
prompts in Latin letters as they are, but for accents. What a person may read besides, such as
"kn1fe" and "k n i f e", changes nothing here: see `words`, which the detectors ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from counterpoint.interfaces import InvalidInput
from counterpoint.normalise.emoji import name_emoji
from counterpoint.normalise.escapes import unescape
from counterpoint.normalise.look_alikes import fold_look_alikes
from counterpoint.normalise.special_tokens import drop_special_tokens
from counterpoint.normalise.visible import keep_visible
from counterpoint.normalise.weights import drop_weights


def single_spaces(text: str) -> str:
    """Make each run of white space one space, and none at the ends."""
    return re.sub(r"\s+", " ", text).strip()


STEPS: tuple[Callable[[str], str], ...] = (
    unescape,
    keep_visible,
    name_emoji,
    fold_look_alikes,
    drop_special_tokens,
    drop_weights,
    single_spaces,
)
"""In this order: what one step uncovers the next ones see, and a further round the earlier ones."""
MOST_ROUNDS = 8
PLAIN = re.compile(r"(?:[A-Za-z0-9 ,.';!?\"]|-(?!-))*")
"""Texts in which no step but the last finds anything: no escape, bracket, colon or double hyphen, ASCII alone."""


def normalise(text: str) -> str:
    """Return `text` as the gate is to read it; the encoder is given what was typed.

    Letter case is kept. `normalise(normalise(text)) == normalise(text)`.

    Raises:
        InvalidInput: The text is wrapped so often that it does not settle in `MOST_ROUNDS` rounds.
    """
    if PLAIN.fullmatch(text):
        return single_spaces(text)
    for _ in range(MOST_ROUNDS):
        before = text
        for step in STEPS:
            text = step(text)
        if text == before:
            return text
    raise InvalidInput("prompt", "a text in many wrappings", f"at most {MOST_ROUNDS - 1} layers of escapes or tokens")
