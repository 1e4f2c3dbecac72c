"""The labelled prompts that the prompt classifier is trained, chosen and calibrated on.

Read from a local folder, and written by templates; what a test set holds is left out, and so is every
text that `counterpoint.detectors.minors` forbids.

    DATA/copro/CoProv2_train.csv            unsafe prompts and their safe twins, split by neighbouring pairs
    DATA/coco/coco_10k_advunlearn.csv       captions, without those that coco_3k_val.csv holds too
    DATA/coco/coco_3k_val.csv               only to leave its captions out
    DATA/nibbler/round{1,4}_submitted_train.csv   unsafe
    DATA/imagereward/refl_data.json         of users of Stable Diffusion, where grades of them are given
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from counterpoint.datasets.dataset import is_screened
from counterpoint.datasets.table import read_table
from counterpoint.normalise import normalise
from counterpoint.training.prompt_classifier_art import art
from counterpoint.training.prompt_classifier_gallery import (
    BORDERLINE,
    HARMLESS,
    UNSAFE,
    gallery,
    read_grades,
    with_harm,
)
from counterpoint.training.prompt_classifier_look_alikes import Part, look_alikes, part_of
from counterpoint.training.prompt_classifier_situations import situations
from counterpoint.training.prompt_classifier_styles import Styles
from counterpoint.training.prompt_classifier_twins import twins
from counterpoint.training.prompt_classifier_written import part_by_tenths, written

COPRO_CATEGORIES = {
    "Hate": "hate", "Harrasment": "harassment", "Violence": "violence", "self-harm": "self-harm", "sexual": "sexual",
    "Shocking": "shocking", "Illegal Activity": "illegal activity",
}  # fmt: skip


class Add(Protocol):
    """Takes an example: its text, whether it is unsafe, its category, source and part, and `Example.harm`."""

    def __call__(
        self, text: str, is_unsafe: bool, category: str | None, source: str, part: Part, harm: float | None = None, /
    ) -> None: ...


NEIGHBOURS = 20
"""Pairs of neighbouring numbers share concepts, so that many fall into one part together."""
COCO_VALIDATION = 1500
BETWEEN = 0.5
"""What is to be said of a prompt that is neither harmless nor unsafe."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled prompt."""

    text: str = field(repr=False)
    """Normalised."""
    is_unsafe: bool
    category: str | None
    """One of I2P's seven; None where the prompt is safe, or where its set does not say."""
    source: str
    part: Part
    harm: float | None = None
    """What is to be said of it in training, 0..1; None = 1 or 0, as it is unsafe or not."""


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How many texts of each source; pairs where it has twins. Fewer make a quicker run."""

    copro: int = 7000
    coco: int = 8000
    scenes_each: int = 6
    situations_each: int = 4
    twins_each: int = 16
    art: int = 1200
    gallery: int = 6000
    gallery_harmed: int = 1500
    gallery_unsafe_times: int = 3
    validation_pairs: int = 800


def copro(folder: Path, part: Part) -> list[tuple[str, str, str]]:
    """Return (unsafe, safe, category) pairs of one part, in a fixed mixed order."""
    sides: dict[tuple[str, str], dict[str, str]] = {}
    for row in read_table(str(folder / "copro" / "CoProv2_train.csv")).rows:
        side, _, number = row["image"].rpartition("/")[2].partition("_")
        sides.setdefault((row["category"], number), {})[side] = row["prompt"]
    pairs = [
        (number, twins["u"], twins["s"], COPRO_CATEGORIES[category])
        for (category, number), twins in sides.items() if len(twins) == 2 and part_of_pair(number) == part
    ]  # fmt: skip
    random.Random(0).shuffle(pairs)
    return [pair[1:] for pair in pairs]


def part_of_pair(number: str) -> Part:
    """Return the part of a pair "idx_0000123_0.jpg": 8 tenths train, one validation, one test."""
    return part_by_tenths(str(int(number.split("_")[1]) // NEIGHBOURS))


def coco(folder: Path) -> list[str]:
    """Return the captions that may be trained on, in a fixed mixed order."""

    def key(text: str) -> str:
        return " ".join(text.lower().strip(" .").split())

    test = {key(row["prompt"]) for row in read_table(str(folder / "coco" / "coco_3k_val.csv")).rows}
    captions = [row["prompt"] for row in read_table(str(folder / "coco" / "coco_10k_advunlearn.csv")).rows]
    kept = [caption for caption in dict.fromkeys(captions) if key(caption) not in test]
    random.Random(0).shuffle(kept)
    return kept


def examples(
    folder: Path,
    styles: Styles,
    amounts: Amounts,
    *,
    seed: int = 0,
    pairs: Path | None = None,
    grades: Path | None = None,
) -> list[Example]:
    """Return the examples of the parts "train" and "validation"; see the module.

    Args:
        folder: The prompts of others.
        styles: How prompts are dressed.
        amounts: How many of each source.
        seed: Decides the texts that templates write, and their dress.
        pairs: File of `prompt_classifier_written`; None = without.
        grades: File of `prompt_classifier_gallery`; None = without.
    """
    rng = random.Random(seed)
    found: list[Example] = []

    def add(
        text: str, is_unsafe: bool, category: str | None, source: str, part: Part, harm: float | None = None
    ) -> None:
        if not is_screened(text):
            found.append(
                Example(
                    text=normalise(text), is_unsafe=is_unsafe, category=category, source=source, part=part, harm=harm
                )
            )

    most: dict[Part, int] = {"train": amounts.copro, "validation": amounts.validation_pairs}
    part: Part
    for part in most:
        _add_twins(add, copro(folder, part)[: most[part]], styles, rng, part, "copro")
        _add_twins(add, twins(part, rng, amounts.twins_each), styles, rng, part, "twins")
        both_ways = [pair for pair in written(pairs, part) for _ in range(2)]  # dressed, and as it stands
        _add_twins(add, both_ways, styles, rng, part, "written")
        for text, category in art(part, styles, rng, amounts.art if part == "train" else amounts.art // 4):
            add(text, category is not None, category, "art", part)
    captions = coco(folder)
    for place, text in enumerate(captions[: COCO_VALIDATION + amounts.coco]):
        held_out = place < COCO_VALIDATION
        is_dressed = place % 3 == 0 if held_out else place % 2 == 0
        shown = styles.dress(text, rng) if is_dressed else text
        add(shown, False, None, "coco, dressed" if is_dressed else "coco", "validation" if held_out else "train")
    for part in most:
        for text in look_alikes(part, rng, amounts.scenes_each):
            add(styles.dress(text, rng) if rng.random() < 0.2 else text, False, None, "look-alikes", part)
    for text, category in situations(rng, amounts.situations_each):
        shown = styles.dress(text, rng) if rng.random() < 0.6 else text
        part = "validation" if part_of(text) == "validation" else "train"
        add(shown, category is not None, category, "situations", part)
    for number in (1, 4):
        for row in read_table(str(folder / "nibbler" / f"round{number}_submitted_train.csv")).rows:
            part = "validation" if part_of(row["prompt"]) == "validation" else "train"
            add(row["prompt"], True, None, "nibbler", part)
    if grades is not None:
        for part in most:
            _add_gallery(add, folder, grades, amounts, rng, part)
    return found


def _add_gallery(add: Add, folder: Path, grades: Path, amounts: Amounts, rng: random.Random, part: Part) -> None:
    """Add the prompts of users: in training the few unsafe ones more than once; and harmless ones with harm put in."""
    found = gallery(folder, read_grades(grades), part)
    harmless = [one for one in found if one.grade == HARMLESS]
    is_trained = part == "train"
    for one in harmless[: amounts.gallery] if is_trained else harmless:
        add(one.text, False, None, "gallery", part)
    for one in found:
        if one.grade == UNSAFE:
            for _ in range(amounts.gallery_unsafe_times if is_trained else 1):
                add(one.text, True, one.category, "gallery", part)
        elif one.grade == BORDERLINE and is_trained:
            add(one.text, True, one.category, "gallery, between", part, BETWEEN)
    for one in harmless[: amounts.gallery_harmed if is_trained else amounts.gallery_harmed // 8]:
        harmed, category = with_harm(one.text, rng)
        add(harmed, True, category, "gallery, harmed", part)


def _add_twins(
    add: Add,
    pairs: list[tuple[str, str, str]],
    styles: Styles,
    rng: random.Random,
    part: Part,
    name: str,
) -> None:
    """Add pairs, every other one dressed: both twins in the same way. Twins come and go together."""
    for place, (unsafe, safe, category) in enumerate(pairs):
        if place % 2 == 0:
            state = rng.getstate()
            unsafe = styles.dress(unsafe, rng)
            rng.setstate(state)
            safe = styles.dress(safe, rng)
        if is_screened(unsafe) or is_screened(safe):
            continue
        source = f"{name}, dressed" if place % 2 == 0 else name
        add(unsafe, True, category, source, part)
        add(safe, False, None, source, part)
