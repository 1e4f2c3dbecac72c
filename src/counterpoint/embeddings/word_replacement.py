"""The prompt with every risky word replaced by a harmless one that looks alike: a knife becomes a paintbrush.

Unlike word removal it keeps something in the hand, so that the picture keeps its composition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from counterpoint.interfaces import Detection, SafeText
from counterpoint.normalise import normalise, single_spaces
from counterpoint.normalise.weights import unbracketed

REPLACEMENTS: Mapping[str, str] = {
    "knife": "paintbrush", "kitchen knife": "paintbrush", "knife blade": "paintbrush", "sharp blade": "paintbrush",
    "dagger": "pen",
    "sword": "umbrella", "pair of swords": "guitar", "axe": "broom", "hatchet": "broom", "bomb": "basketball",
    "dynamite": "candle", "stick of dynamite": "candle", "dynamite stick": "candle", "explosive": "basketball",
    "bow and arrow": "umbrella", "hunting bow": "umbrella", "blood": "water", "drop of blood": "water drop",
    "blood drop": "water drop", "gun": "camera", "pistol": "camera", "rifle": "umbrella", "weapon": "umbrella",
    "syringe": "thermometer", "drug needle": "thermometer", "drugs": "candy", "slot machine": "television",
    "gambling machine": "television", "pirate flag": "kite", "beer": "glass of milk", "mug of beer": "glass of milk",
    "wine": "juice", "wine glass": "bubble tea", "glass of wine": "bubble tea", "cocktail": "ice cream",
    "champagne": "juice", "bottle of champagne": "trophy", "champagne bottle": "trophy", "whiskey": "cup of coffee",
    "glass of whiskey": "cup of coffee", "alcohol": "juice", "cigarette": "pencil", "smoking": "smiling",
    "middle finger": "raised hand", "rude finger": "raised hand", "swearing face": "smiling face",
    "cursing face": "smiling face", "thumbs down": "thumbs up", "fist": "peace sign", "punching fist": "peace sign",
    "skull": "ghost", "skeleton": "robot", "coffin": "gift", "casket": "gift", "cockroach": "ladybug",
    "roach": "ladybug", "gravestone": "book", "tombstone": "book", "brain": "bunch of grapes",
    "human brain": "bunch of grapes", "zombie": "robot", "razor": "spoon", "razor blade": "spoon", "pill": "candy",
    "capsule": "candy", "noose": "scarf",
}  # fmt: skip
"""Harmless words of the same outline, for the default concepts."""
VOWELS = "aeiou"


@dataclass(frozen=True)
class WordReplacement:
    """Replace the evidence word by word; what has no entry becomes `fallback`."""

    replacements: Mapping[str, str] = field(default_factory=lambda: REPLACEMENTS)
    fallback: str = "flower"

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the prompt with other words; "an axe in a room" -> "a broom in a room".

        Raises:
            ValueError: The detection names no words, or words that the prompt does not hold as they
                are written: what is left could still be unsafe.
        """
        if not detection.evidence:
            raise ValueError("the gate names no words to replace; give a safe_prompt or another safe embedding")
        given = text = single_spaces(unbracketed(normalise(prompt)))
        for span in sorted(detection.evidence, key=len, reverse=True):
            text = self._replace(text, span)
            if self._replace(given, span) == given:  # gone with a longer span is as good
                raise ValueError(f"the words {span!r} could not be replaced; give a safe_prompt")
        return SafeText(prompt=text)

    def _replace(self, text: str, span: str) -> str:
        singular = (span.lower(), re.sub("s$", "", span.lower()), re.sub("ves$", "fe", span.lower()))
        harmless = next((self.replacements[form] for form in singular if form in self.replacements), self.fallback)
        article = "an" if harmless[0] in VOWELS else "a"
        words = r"[\W_]+".join(map(re.escape, span.split()))

        def put(match: re.Match[str]) -> str:
            return f"{article} {harmless}" if match["article"] else harmless

        return re.sub(rf"(?<!\w)(?:(?P<article>an?)\s+)?{words}s?(?!\w)", put, text, flags=re.IGNORECASE)
