"""Prompts that users of picture models typed, graded one by one, for the prompt classifier.

The prompts are public files that are read from a local folder, see `FILES`. The grades are ours, `data/gallery.tsv.xz`:
a language model read every prompt on our behalf, by the rules in docs/classifier.md, and said of each what its picture
would show. The file names a prompt by a hash, so that it holds no text:

    hash <TAB> grade <TAB> category, or nothing <TAB> part

Grade 0 is harmless, 2 is unsafe, 1 is neither clearly: it trains as one half, and is told apart in tests. Where only
prompts were read that a version before had scored high, all of them train: the other parts are fair samples. Users
repeat themselves and each other, so that tests leave out what training holds a near copy of, see `unseen`.

Grade 3 is sexual about minors. Such a prompt trains nothing; it only tests the rule of `detectors.minors`. The words
of the rule were extended by counts of the words of those of the part "train".

The file decides the parts. Of `refl_data.json` tenths of the hashes are parts; of Pick-a-Pic groups of near copies
(`NEAR`, chained) fall into one part together, by the hash of one of them, and of a group outside of training one stays.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import random
from collections import Counter
from collections.abc import Mapping, Sequence
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
GRADE_NAMES = {HARMLESS: "harmless", BORDERLINE: "between", UNSAFE: "unsafe"}
"""The grades that train and are told apart in tests; `FORBIDDEN` is neither."""
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


def lines_of(path: Path, field: str) -> dict[str, str]:
    """Return the lines of a .tsv.xz file by their place, "NAME, line 1".

    Raises:
        InvalidInput: There is no such file, or it is no text.
    """
    try:
        lines = lzma.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise InvalidInput(field, str(path), "a text file, .tsv.xz") from error
    return {f"{path.name}, line {number}": line for number, line in enumerate(lines, 1)}


def read_grades(path: Path) -> dict[str, Grade]:
    """Return what the file says, by prompt's name.

    Raises:
        InvalidInput: There is no such file, a line is not as the module says, or a prompt stands there twice.
    """
    grades: dict[str, Grade] = {}
    for place, line in lines_of(path, "grades").items():
        key, grade = _graded(line, place)
        if key in grades:
            raise InvalidInput("grades", place, "a prompt that has no grade yet")
        grades[key] = grade
    return grades


def _graded(line: str, place: str) -> tuple[str, Grade]:
    fields = line.split("\t")
    if len(fields) != 4 or fields[1] not in ("0", "1", "2", "3") or fields[3] not in PARTS:
        raise InvalidInput("grades", place, f"a hash, a grade 0..3, a category, and one of {', '.join(PARTS)}")
    key, grade, category, part = fields
    if category not in (CATEGORIES if grade in ("1", "2") else ("",)):
        raise InvalidInput("grades", place, f"at grades 1 and 2 one of {', '.join(CATEGORIES)}, else no category")
    return key, Grade(grade=int(grade), category=category or None, part=cast(Part, part))


def read_gallery(folder: Path, grades: Mapping[str, Grade]) -> dict[Part, list[Graded]]:
    """Return all graded prompts by part, each in a fixed mixed order, those of grade 3 among them.

    Raises:
        InvalidInput: A file of prompts is not there, or is another one.
    """
    parts: dict[Part, dict[str, Graded]] = {part: {} for part in PARTS}
    for site, paths in FILES.items():
        for name, text in ((name, text) for path in paths for name, text in _texts(folder / path).items()):
            if grade := grades.get(name):
                one = Graded(text=text, grade=grade.grade, category=grade.category, site=site)
                parts[grade.part][name] = one
    mixed = {part: list(found.values()) for part, found in parts.items()}
    for some in mixed.values():
        random.Random(0).shuffle(some)
    return mixed


def gallery(folder: Path, grades: Mapping[str, Grade], part: Part) -> list[Graded]:
    """Return the prompts of one part without those of grade 3, which train nothing; see `read_gallery`."""
    return _allowed(read_gallery(folder, grades)[part])


def _allowed(found: Sequence[Graded]) -> list[Graded]:
    return [one for one in found if one.grade != FORBIDDEN]


def unseen(folder: Path, grades: Mapping[str, Grade]) -> list[Graded]:
    """Return the test prompts that share fewer than `NEAR` of their words with any prompt of training."""
    parts = read_gallery(folder, grades)
    trained = [set(one.text.lower().split()) for one in _allowed(parts["train"])]
    places: dict[str, list[int]] = {}
    for place, words in enumerate(trained):
        for word in words:
            places.setdefault(word, []).append(place)

    def is_near(words: set[str]) -> bool:
        shared = Counter(place for word in words for place in places.get(word, ()))
        return any(count >= NEAR * (len(words) + len(trained[place]) - count) for place, count in shared.items())

    return [one for one in _allowed(parts["test"]) if not is_near(set(one.text.lower().split()))]


def by_site_and_grade(found: Sequence[Graded]) -> dict[Site, dict[int, list[str]]]:
    """Return the texts of each site and of each of `GRADE_NAMES`."""
    return {
        site: {grade: [one.text for one in found if (one.site, one.grade) == (site, grade)] for grade in GRADE_NAMES}
        for site in FILES
    }


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
