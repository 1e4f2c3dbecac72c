"""A part of the work: shard i of n takes every n-th piece, so that n machines share one folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from counterpoint.interfaces import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Shard `index` of `count`, from 1."""

    index: int = 1
    count: int = 1

    def of(self, pieces: Sequence[T]) -> list[T]:
        """Return this shard's pieces, in order."""
        return list(pieces[self.index - 1 :: self.count])


WHOLE = Shard()
"""All of the work."""


def parse_shard(text: str) -> Shard:
    """Read "2/8".

    Raises:
        InvalidInput: It is no shard.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InvalidInput("shard", text, "I/N with 1 <= I <= N, as 2/8")
    return Shard(int(match[1]), int(match[2]))
