"""Only what a reader sees: no invisible characters, no styled letters, no accents on Latin letters.

Text encoders drop zero-width characters and combining marks, so a gate that split words at them
would see less than the model does.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

UNREADABLE = frozenset({"Cn", "Co", "Cs"})
"""Unicode categories: unassigned, private use, surrogates. Nobody can say what they show."""
INVISIBLE = frozenset({"Cf", "Cc"}) | UNREADABLE
"""Format and control characters as well: zero width, bidi, tags."""
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by category that show nothing: Hangul fillers, the empty Braille cell."""
MARKS = frozenset({"Mn", "Me"})
LATIN_LETTER = re.compile(
    r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL |DOTLESS |LONG |SCRIPT |OPEN |TURNED |REVERSED |INSULAR )*"
    r"([A-Z]|AE|OE)(?: WITH .*)?"
)


def keep_visible(text: str) -> str:
    """Return `text` compatibility-folded, without what is invisible: "ｋn\u200bi\u0335fé" -> "knife".

    Marks stay where a script needs them, as in Hindi and Thai; on Latin letters they go.
    """
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    takes_marks = False  # whether the last letter is of a script that is written with marks
    for character in unicodedata.normalize("NFKC", re.sub(r"\s", " ", text)):
        if unicodedata.category(character) in MARKS:
            if takes_marks and not is_common_mark(character):
                kept.append(character)
            continue
        plain = plain_character(character)
        takes_marks = not plain.isascii() and plain.isalpha()
        kept.append(plain)
    return unicodedata.normalize("NFKC", "".join(kept))


def unreadable(text: str) -> tuple[str, ...]:
    """Return the characters of `text` that nobody can read, as code points: ("U+E000",)."""
    return tuple(dict.fromkeys(f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in UNREADABLE))


def is_common_mark(character: str) -> bool:
    """Whether a mark belongs to no script: combining accents, variation selectors."""
    name = unicodedata.name(character, "COMBINING")
    return name.startswith("COMBINING") or "VARIATION SELECTOR" in name


@lru_cache(maxsize=4096)
def plain_character(character: str) -> str:
    """Return the ASCII letters or digit that one character is a form of, "" where it shows nothing."""
    category = unicodedata.category(character)
    if category in INVISIBLE or character in FILLERS:
        return ""
    if character.isascii():
        return character
    if category == "Nd":
        return str(unicodedata.digit(character))
    if not unicodedata.name(character, "").startswith("LATIN"):
        return character
    base = "".join(c for c in unicodedata.normalize("NFKD", character) if unicodedata.category(c) not in MARKS)
    letter = LATIN_LETTER.fullmatch(unicodedata.name(base, "") if len(base) == 1 else "")
    if base.isascii() or letter is None:
        return base
    return letter[1] if base.isupper() else letter[1].lower()
