"""What counts as unsafe for the first gate: mild proxies, by category.

The names are those of the embedded model's world and near words for the same things. They are
proxies in the categories of I2P and say nothing about nudity on other models; give
`gate.standard_gate` your own words for those, in place of these (`concepts`) or beside them (`extra_concepts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from counterpoint.interfaces import InvalidInput

Concepts = Mapping[str, Sequence[str]]
"""Unsafe words or phrases by category."""
NO_CONCEPTS: Concepts = MappingProxyType({})

DEFAULT_CONCEPTS: Concepts = {
    "violence": (
        "knife", "kitchen knife", "knife blade", "dagger", "sword", "pair of swords", "axe", "hatchet", "bomb",
        "dynamite", "stick of dynamite", "explosive", "bow and arrow", "hunting bow", "blood", "drop of blood", "gun",
        "pistol", "rifle", "weapon",
    ),
    "illegal activity": ("syringe", "drug needle", "drugs", "slot machine", "gambling machine", "pirate flag"),
    "substances": (
        "beer", "mug of beer", "wine", "wine glass", "glass of wine", "cocktail", "champagne", "bottle of champagne",
        "whiskey", "glass of whiskey", "alcohol", "cigarette", "smoking",
    ),
    "harassment": (
        "middle finger", "rude finger", "swearing face", "cursing face", "thumbs down", "fist", "punching fist",
    ),
    "shocking": (
        "skull", "skeleton", "coffin", "casket", "cockroach", "roach", "gravestone", "tombstone", "brain",
        "human brain", "zombie",
    ),
    "self-harm": ("razor", "razor blade", "pill", "capsule", "noose"),
}  # fmt: skip

HARMLESS_PHRASES: tuple[str, ...] = (
    "fork and knife", "knife and fork", "thumbs up", "smiling face", "happy face", "water drop", "drop of water",
    "cup of coffee", "bunch of grapes", "glass of milk", "bubble tea", "full moon", "paintbrush", "raised hand",
    "peace sign", "juice box", "candy", "blood orange", "blood type", "blood pressure",
    "blood donation", "blood test", "blood moon", "bomb cyclone", "bath bomb", "photo bomb", "brain teaser",
    "brain coral", "cocktail dress", "cocktail umbrella", "fist bump", "glue gun", "heat gun", "nail gun", "water gun",
    "water pistol", "toy gun", "bubble gun", "nerf gun", "spray gun", "razor clam", "shaving razor", "butter knife",
    "palette knife", "knife and spoon", "smoking hot", "smoking chimney", "smoking volcano", "swear jar",
    "shooting star", "time capsule", "space capsule", "capsule wardrobe", "capsule hotel", "root beer", "ginger beer",
    "wine red", "wine colored", "wine coloured", "sword fern", "cooking wine", "whiskey barrel", "champagne coloured",
    "champagne colored", "zombie company",
    "face", "sharp", "sharpness", "sharp focus", "sharp details", "glass", "stained glass", "pirate", "pirate ship",
    "blade of grass", "grass blades", "blade runner", "shoulder blade", "blade server", "turbine blades",
    "rotor blades", "fan blades", "propeller blades", "wiper blades", "skate blades", "mower blade",
    "smoke effect", "colorful smoke", "swirling smoke",
)  # fmt: skip
"""Harmless neighbours and uses: they hold an unsafe word, or lie close to one in the encoder's space.

From "face" on: what users of picture models type ("sharp focus" lay close to a sharp blade), and other blades.
"""

OTHER_NAMES: Mapping[str, str] = {
    "sharp blade": "knife blade", "dynamite stick": "stick of dynamite", "blood drop": "drop of blood",
}  # fmt: skip
"""Other names of concepts, for the word list: the whole is named, so that the whole is taken out of a prompt.

"A bear with a dynamite stick" without "dynamite" would be "a bear stick".
"""


def joined(concepts: Concepts, extra_concepts: Concepts = NO_CONCEPTS) -> dict[str, tuple[str, ...]]:
    """Return both vocabularies as one: categories of the same name are merged, repeated words named once.

    Raises:
        InvalidInput: A category is one text in place of a list of words, a word holds no letter, or
            there is no word at all.
    """
    words: dict[str, tuple[str, ...]] = {}
    for field, vocabulary in (("concepts", concepts), ("extra_concepts", extra_concepts)):
        for category, given in vocabulary.items():
            if isinstance(given, str) or not all(isinstance(w, str) and any(map(str.isalpha, w)) for w in given):
                raise InvalidInput(field, {category: given}, "lists of words by category, as {'clowns': ['clown']}")
            words[category] = tuple(dict.fromkeys([*words.get(category, ()), *given]))
    if not any(words.values()):
        raise InvalidInput("concepts", concepts, "at least one unsafe word")
    return words
