"""Pairs that were written one by one, for the prompt classifier: a harmless prompt, and a harmful one like it.

Templates know few sentences, and CoPro is a language model's answers to one question. The harmless side of these pairs
keeps topic, place, mood and style of harm, in the words of many kinds of users. Each line of the file is a JSON object
with "safe", "unsafe" and "category". The file is compressed so that nobody reads the harmful sides by accident.
"""

from __future__ import annotations

import json
import lzma
import random
import zlib
from pathlib import Path

from counterpoint.detectors.prompt_classifier import CATEGORIES
from counterpoint.interfaces import InvalidInput
from counterpoint.training.prompt_classifier_look_alikes import Part

FIELDS = ("unsafe", "safe", "category")


def written(path: Path | None, part: Part) -> list[tuple[str, str, str]]:
    """Return (unsafe, safe, category) pairs of one part, in a fixed mixed order; none where there is no file.

    Args:
        path: JSON lines, compressed (`.xz`) or not.
        part: 8 tenths of the pairs train, one is for validation, one for tests.

    Raises:
        InvalidInput: There is no such file, or a line is not such an object.
    """
    if path is None:
        return []
    try:
        text = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    except (OSError, lzma.LZMAError) as error:
        raise InvalidInput("written", str(path), "a file of JSON lines, .jsonl or .jsonl.xz") from error
    lines = enumerate(text.decode("utf-8").splitlines(), 1)
    pairs = [_pair(line, f"{path.name}, line {number}") for number, line in lines if line.strip()]
    kept = [pair for pair in dict.fromkeys(pairs) if part_by_tenths(pair[1]) == part]
    random.Random(0).shuffle(kept)
    return kept


def _pair(line: str, place: str) -> tuple[str, str, str]:
    try:
        unsafe, safe, category = (json.loads(line)[name] for name in FIELDS)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput("written", place, f"a JSON object with {', '.join(FIELDS)}") from error
    if category not in CATEGORIES:
        raise InvalidInput("written", f"{place}: category {category!r}", f"one of {', '.join(CATEGORIES)}")
    return str(unsafe), str(safe), category


def part_by_tenths(key: str) -> Part:
    """Return the part of a pair, by the hash of what names it: 8 tenths train, one validation, one test."""
    place = zlib.crc32(key.encode()) % 10
    return "train" if place < 8 else "validation" if place == 8 else "test"
