"""Prompts that users of picture models typed, graded one by one, for the prompt classifier.

The prompts are public files that are read from a local folder, see `FILES`. The grades are ours, `data/gallery.tsv.xz`:
a language model read every prompt on our behalf, by the rules in docs/detectors.md, and said of each what its picture
would show. The file names a prompt by a hash, so that it holds no text:

    hash <TAB> grade <TAB> category, or nothing <TAB> part

Grade 0 is harmless, 2 is unsafe, 1 is neither clearly: it trains as one half, and is told apart in tests. Where only
prompts were read that a version before had scored high, all of them train: the other parts are fair samples. Users
repeat themselves and each other, so that tests leave out what training holds a near copy of, see `unseen`.

Grade 3 is sexual about minors. Such a prompt trains nothing; it only tests the rule of `detectors.minors`. The words
of the rule were extended by counts of the words of those of the part "train".

Grade 3 is sexual about minors. Such a prompt trains nothing; it only tests the rule of `detectors.minors`. The words
of the rule were extended by counts of the words of those of the part "train".
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
from typing import Literal, cast, get_args

from counterpoint.detectors.prompt_classifier import CATEGORIES
from counterpoint.interfaces import InvalidInput
from counterpoint.normalise import normalise
from counterpoint.training.prompt_classifier_look_alikes import Part
from counterpoint.training.prompt_classifier_twins import HARMS

Site = Literal["DiffusionDB", "Pick-a-Pic"]
FILES: dict[Site, tuple[Path, ...]] = {
    "DiffusionDB": (Path("imagereward", "refl_data.json"), Path("imagereward", "imagerewarddb.json")),
    "Pick-a-Pic": (Path("pickapic", "train.txt"),),
}
"""Where the prompts lie, by the site whose users typed them: a JSON list of objects with `text`, or a prompt a line."""
PARTS: tuple[Part, ...] = get_args(Part)
HARMLESS, BORDERLINE, UNSAFE, FORBIDDEN = 0, 1, 2, 3
NEAR = 0.6
"""Words that two prompts share, of those that either holds (Jaccard), from which one is a near copy of the other."""


@dataclass(frozen=True, kw_only=True)
class Graded:
    """One prompt, and what was said of it."""

    text: str = field(repr=False)
    grade: int
    category: str | None
    """One of I2P's seven; None at grades 0 and 3."""
    site: Site


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What the file of grades says of one prompt."""

    grade: int
    category: str | None
    part: Part


def key_of(text: str) -> str:
    """Return the name of a prompt in the file of grades: 12 digits of a hash of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:12]


def read_grades(path: Path) -> dict[str, Grade]:
    """Return what the file says, by prompt's name.

    Raises:
        InvalidInput: There is no such file, or a line is not as the module says.
    """
    try:
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except (OSError, lzma.LZMAError) as error:
        raise InvalidInput("grades", str(path), "a file of graded prompts, .tsv.xz") from error
    return dict(_graded(line, f"{path.name}, line {number}") for number, line in enumerate(lines, 1))


def _graded(line: str, place: str) -> tuple[str, Grade]:
    fields = line.split("\t")
    if len(fields) != 4 or fields[1] not in ("0", "1", "2", "3") or fields[3] not in PARTS:
        raise InvalidInput("grades", place, f"a hash, a grade 0..3, a category, and one of {', '.join(PARTS)}")
    key, grade, category, part = fields
    if category not in (CATEGORIES if grade in ("1", "2") else ("",)):
        raise InvalidInput("grades", place, f"at grades 1 and 2 one of {', '.join(CATEGORIES)}, else no category")
    return key, Grade(grade=int(grade), category=category or None, part=cast(Part, part))


def gallery(folder: Path, grades: Mapping[str, Grade], part: Part) -> list[Graded]:
    """Return the graded prompts of one part, in a fixed mixed order; prompts without a grade are left out.

    Those of grade 3 are among them: whoever trains or shows anything asks for the other grades.

    Those of grade 3 are among them: whoever trains or shows anything asks for the other grades.

    Args:
        folder: The prompts of others.
        grades: See `read_grades`.
        part: Which.

    Raises:
        InvalidInput: A file of prompts is not there, or is another one.
    """
    found = {
        name: Graded(text=text, grade=grades[name].grade, category=grades[name].category, site=site)
        for site, paths in FILES.items()
        for path in paths
        for name, text in _texts(folder / path).items()
        if name in grades and grades[name].part == part
    }
    mixed = list(found.values())
    random.Random(0).shuffle(mixed)
    return mixed


def unseen(folder: Path, grades: Mapping[str, Grade]) -> list[Graded]:
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
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines() if path.suffix == ".txt" else [str(row["text"]) for row in json.loads(text)]
        return {key_of(line): line for line in lines}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(
            "data", str(path), 'a JSON list of objects with "text", or, .txt, a prompt a line'
        ) from error


def with_harm(text: str, rng: random.Random) -> tuple[str, str]:
    """Return a harmless prompt with a clause of harm among its phrases, and the harm's category."""
    category = rng.choice(CATEGORIES)
    phrases = text.split(",")
    phrases.insert(rng.randint(1, min(3, len(phrases))), f" {rng.choice(HARMS[category])}")
    return ",".join(phrases), category
