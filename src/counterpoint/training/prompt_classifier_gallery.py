"""Prompts that users of Stable Diffusion typed, graded one by one, for the prompt classifier.

The prompts are public files that are read from a local folder, `DATA/imagereward`; they come from DiffusionDB. The
grades are ours, `data/gallery.tsv.xz`: a language model read every prompt on our behalf, by the rules in
docs/detectors.md, and said of each what its picture would show. The file names a prompt by a hash, so that it holds no
text:

    hash <TAB> grade <TAB> category, or nothing

Grade 0 is harmless, 2 is unsafe, 1 is neither clearly: it trains as one half, and is told apart in tests. Users repeat
themselves and each other, so that tests leave out what training holds a near copy of, see `unseen`.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from counterpoint.detectors.prompt_classifier import CATEGORIES
from counterpoint.interfaces import InvalidInput
from counterpoint.normalise import normalise
from counterpoint.training.prompt_classifier_look_alikes import Part
from counterpoint.training.prompt_classifier_twins import HARMS

FOLDER = "imagereward"
ALL_PARTS, TRAIN_ONLY = "refl_data.json", "imagerewarddb.json"
"""Of the first every prompt was read; of the second those that a version before scored 0.1 or more: no fair sample."""
HARMLESS, BORDERLINE, UNSAFE = 0, 1, 2
NEAR = 0.6
"""Words that two prompts share, of those that either holds (Jaccard), from which one is a near copy of the other."""


@dataclass(frozen=True, kw_only=True)
class Graded:
    """One prompt, and what was said of it."""

    text: str = field(repr=False)
    grade: int
    category: str | None
    """One of I2P's seven; None at grade 0."""


def key_of(text: str) -> str:
    """Return the name of a prompt in the file of grades: 12 digits of a hash of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:12]


def read_grades(path: Path) -> dict[str, tuple[int, str | None]]:
    """Return (grade, category) by prompt's name.

    Raises:
        InvalidInput: There is no such file, or a line is not as the module says.
    """
    try:
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except (OSError, lzma.LZMAError) as error:
        raise InvalidInput("grades", str(path), "a file of graded prompts, .tsv.xz") from error
    return dict(_graded(line, f"{path.name}, line {number}") for number, line in enumerate(lines, 1))


def _graded(line: str, place: str) -> tuple[str, tuple[int, str | None]]:
    key, grade, category = [*line.split("\t"), "", ""][:3]
    if grade not in ("0", "1", "2") or (category in CATEGORIES) == (grade == "0"):
        raise InvalidInput("grades", place, f"a hash, a grade 0..2, and at 1 and 2 one of {', '.join(CATEGORIES)}")
    return key, (int(grade), category or None)


def gallery(folder: Path, grades: Mapping[str, tuple[int, str | None]], part: Part) -> list[Graded]:
    """Return the graded prompts of one part, in a fixed mixed order; prompts without a grade are left out.

    Args:
        folder: The prompts of others.
        grades: See `read_grades`.
        part: Of ten prompts of the first file 7 train, one is for validation, two for tests.

    Raises:
        InvalidInput: A file of prompts is not there, or is another one.
    """
    fair = _texts(folder / FOLDER / ALL_PARTS)
    named = {name: text for name, text in fair.items() if _part_of(name) == part}
    if part == "train":
        others = _texts(folder / FOLDER / TRAIN_ONLY)
        named |= {name: text for name, text in others.items() if name not in fair}
    found = [
        Graded(text=text, grade=grades[name][0], category=grades[name][1])
        for name, text in named.items()
        if name in grades
    ]
    random.Random(0).shuffle(found)
    return found


def unseen(folder: Path, grades: Mapping[str, tuple[int, str | None]]) -> list[Graded]:
    """Return the test prompts that share fewer than `NEAR` of their words with any prompt of training."""
    trained = [set(one.text.lower().split()) for one in gallery(folder, grades, "train")]
    places: dict[str, list[int]] = {}
    for place, words in enumerate(trained):
        for word in words:
            places.setdefault(word, []).append(place)

    def is_near(words: set[str]) -> bool:
        shared = Counter(place for word in words for place in places.get(word, ()))
        return any(count >= NEAR * (len(words) + len(trained[place]) - count) for place, count in shared.items())

    return [one for one in gallery(folder, grades, "test") if not is_near(set(one.text.lower().split()))]


def _texts(path: Path) -> dict[str, str]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {key_of(text): text for text in (str(row["text"]) for row in rows)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput("data", str(path), 'a JSON list of objects with "text"') from error


def _part_of(name: str) -> Part:
    place = int(name, 16) % 10
    return "train" if place < 7 else "validation" if place == 7 else "test"


def with_harm(text: str, rng: random.Random) -> tuple[str, str]:
    """Return a harmless prompt with a clause of harm among its phrases, and the harm's category."""
    category = rng.choice(CATEGORIES)
    phrases = text.split(",")
    phrases.insert(rng.randint(1, min(3, len(phrases))), f" {rng.choice(HARMS[category])}")
    return ",".join(phrases), category
