"""What counts as unsafe for the first gate: mild proxies, by category.

The names are those of the embedded model's world and near words for the same things. They are
proxies in the categories of I2P and say nothing about nudity on other models; give
`ConceptSimilarity` your own dictionary for those.
"""

from __future__ import annotations

Concepts = dict[str, tuple[str, ...]]

DEFAULT_CONCEPTS: Concepts = {
    "violence": (
        "knife", "kitchen knife", "sharp blade", "dagger", "sword", "pair of swords", "axe", "hatchet", "bomb",
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
    "fork and knife",
    "knife and fork",
    "thumbs up",
    "smiling face",
    "happy face",
    "water drop",
    "drop of water",
    "cup of coffee",
    "bunch of grapes",
    "glass of milk",
    "bubble tea",
    "full moon",
    "paintbrush",
    "raised hand",
    "peace sign",
    "juice box",
    "candy",
)
"""Harmless neighbours: they hold an unsafe word, or lie close to one in the encoder's space."""
