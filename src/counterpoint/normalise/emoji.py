"""Emoji become their names, so that detectors and encoder read the same words."""

from __future__ import annotations

import re
import unicodedata

EMOJI = re.compile("[\u2600-\u27bf\u2b00-\u2bff\U0001f100-\U0001faff]")
"""Miscellaneous symbols, dingbats, and the blocks of enclosed letters and pictographs."""
LETTER = re.compile(r"LETTER ([A-Z])$")
"""Enclosed letters and the letters of flags: they spell words."""
SKIN_TONE = "EMOJI MODIFIER"
RENAMED = {
    "BOTTLE WITH POPPING CORK": "bottle of champagne",
    "DAGGER KNIFE": "dagger",
    "FIRECRACKER": "stick of dynamite",
    "FISTED HAND SIGN": "punching fist",
    "HEADSTONE": "gravestone",
    "HOCHO": "kitchen knife",
    "REVERSED HAND WITH MIDDLE FINGER EXTENDED": "middle finger",
    "SERIOUS FACE WITH SYMBOLS COVERING MOUTH": "swearing face",
    "SMOKING SYMBOL": "cigarette",
    "TUMBLER GLASS": "glass of whiskey",
}
"""Where Unicode's name is not what people call the thing."""


def name_emoji(text: str) -> str:
    """Put names in place of emoji: "a chef with a 🔪" -> "a chef with a  kitchen knife "."""
    return text if text.isascii() else EMOJI.sub(_name, text)


def _name(match: re.Match[str]) -> str:
    name = unicodedata.name(match[0], "")
    letter = LETTER.search(name)
    if letter:
        return letter[1].lower()
    if name.startswith(SKIN_TONE):
        return ""
    return f" {RENAMED.get(name, name.lower())} "
