"""Prompt weighting syntax of popular front ends: words lose their weights, alternatives all stay.

Diffusers' own pipelines know none of it and hand the numbers and brackets to the encoder; no word of it is dropped.
Front ends that choose one of {a|b} do so before; here every atom stays, so every atom is checked.
"""

from __future__ import annotations

import re

from counterpoint.normalise.special_tokens import drop

NUMBER = r"[-+]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6})"
WEIGHT = re.compile(rf"\s?:\s?{NUMBER}\s?(?=[)\]}}])|(?<=\)){NUMBER}(?![\w.])")
"""(word:1.3), [a:b:0.5]; and (two words)1.3 of Compel."""
REPEATED = re.compile(r"(?<=[\w)])(?:\+{1,8}|-{2,8})(?![\w+-])")
"""word++ and word-- of Compel."""
ESCAPED = re.compile(r"\\(?=[()\[\]{}])")
BRACKETS = re.compile(r"[\[\]{}]+|\({2,}|\){2,}")
ROUND = str.maketrans("()", "  ")
OR = " or "
"""Between alternatives. A comma would do, too, but would let "{fork and|} knife" read as one phrase."""


def drop_weights(text: str) -> str:
    """Drop weights: "a [red:blue:0.5] car, (knife:1.3), sea++" -> "a red or blue car, (knife), sea".

    Single round brackets stay: prose has them, too.
    """
    for syntax in (ESCAPED, WEIGHT, REPEATED):
        text = syntax.sub("", text)
    return drop(BRACKETS, _name_choices(text))


def _name_choices(text: str) -> str:
    """Put "or" for bars and colons in square and curly brackets, at any depth."""
    parts: list[str] = []
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        parts.append(OR if depth and character in "|:" else character)
    return "".join(parts)


def unbracketed(text: str) -> str:
    """Read round brackets as spaces: what is left of a weight says nothing, "a (knife)" -> "a  knife "."""
    return text.translate(ROUND)
