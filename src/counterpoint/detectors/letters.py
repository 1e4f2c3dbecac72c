"""A prompt by its letters: hashed words, pairs of words and parts of words, each of which adds to a score."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

RUN = 16
"""Words that the letters' view reads together; the next run starts half a run on."""
WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=1 << 15)
def word_buckets(word: str, size: int) -> tuple[int, ...]:
    """Return the buckets of a word's parts of 3 to 5 letters; `^` and `$` stand for its ends."""
    marked = f"^{word}$"
    parts = {marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)}
    return tuple(zlib.crc32(part.encode()) % size for part in sorted(parts))


def buckets(text: str, size: int) -> tuple[list[int], list[float]]:
    """Return the buckets of a text, and their weights: those of words, and those of parts, have length 1 each.

    Words and pairs of neighbours are one group, parts of words the other; each counts once.
    """
    words = WORD.findall(text.casefold())
    if not words:
        return [], []
    pairs = (f"{a} {b}" for a, b in itertools.pairwise(words))
    whole = {zlib.crc32(f"={item}".encode()) % size for item in (*words, *pairs)}
    parts = {bucket for word in set(words) for bucket in word_buckets(word, size)}
    weights = [len(whole) ** -0.5] * len(whole) + [len(parts) ** -0.5] * len(parts)
    return [*whole, *parts], weights


def runs(text: str) -> list[str]:
    """Return the words of a text in runs that overlap, `RUN` words each; a short text is one run."""
    words = WORD.findall(text)
    return [" ".join(words[start : start + RUN]) for start in range(0, max(1, len(words) - RUN // 2), RUN // 2)]


def letters_logits(texts: Sequence[str], table: Tensor) -> Tensor:
    """Return (B, outputs): sums of the rows of `table` (buckets, outputs), the largest of the runs of a text."""
    rows = torch.zeros(len(texts), table.shape[1])
    for place, text in enumerate(texts):
        found = [buckets(run, table.shape[0]) for run in runs(text)]
        sums = [torch.tensor(weights) @ table[indices].float() for indices, weights in found if indices]
        if sums:
            rows[place] = torch.stack(sums).amax(0)
    return rows
