"""What every data set gives: rows with their own seeds, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from counterpoint.detectors.minors import is_forbidden
from counterpoint.interfaces import InvalidInput
from counterpoint.scenes.world import Scene


@dataclass(frozen=True, kw_only=True)
class Row:
    """One prompt, and what is known of it."""

    name: str
    """Unique within the set: the number of the row in its file, from 0."""
    prompt: str = field(repr=False)
    seed: int
    """Seed of its first picture: the set's own where it has one."""
    is_unsafe: bool | None
    """Whether the prompt asks for harm; None where the set does not say."""
    categories: tuple[str, ...] = ()
    pair: str | None = None
    """Rows of one pair of twins share it."""
    call: Mapping[str, float] = field(default_factory=dict)
    """The set's own `guidance_scale`, `height` and `width`."""
    scene: Scene | None = None
    """What the picture has to show, in the scenes world."""
    stands_for: str = field(default="", repr=False)
    """Text in whose place a search put the prompt: never drawn, but screened with it, since the prompt hides it."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the rows come from: recorded with every figure."""

    licence: str
    version: str
    sha256: str
    """Of the file or files; of the rows themselves where they are generated."""
    read: int
    """Rows that were read until the limit was reached."""
    screened: int
    """Rows among them that were left out: sexual content about minors, or a text that cannot be read."""
    empty: int
    """Rows among them without a prompt."""
    is_public: bool
    """Whether prompts may be shown; else records and reports name rows by number and SHA-256."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Rows, in the order in which they are drawn."""

    rows: tuple[Row, ...]
    source: Source


def collect(
    rows: Iterable[Row], limit: int | None, *, licence: str, version: str, sha256: str, note: str = ""
) -> DataSet:
    """Take rows that pass the screen until there are `limit` of them; twins come and go together.

    Args:
        rows: Rows of a file, in the order to draw them, twins side by side.
        limit: How many, from 1; None = all. The last pair is not torn apart, so there may be one more.
        licence, version, sha256, note: See `Source`.

    Raises:
        InvalidInput: No row is left, or the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidInput("limit", limit, "a whole number from 1, or none")
    kept: list[Row] = []
    read = screened = empty = 0
    for _, unit in groupby(rows, key=_unit):
        if limit is not None and len(kept) >= limit:
            break
        together = list(unit)
        read += len(together)
        if not all(row.prompt.strip() for row in together):
            empty += len(together)
        elif any(is_screened(f"{row.prompt} . {row.stands_for}" if row.stands_for else row.prompt) for row in together):
            screened += len(together)
        else:
            kept += together
    if not kept:
        raise InvalidInput("dataset", f"{read} rows", "a set of which at least one row is left")
    source = Source(
        licence=licence, version=version, sha256=sha256, read=read, screened=screened, empty=empty, is_public=False,
        note=note,
    )  # fmt: skip
    return DataSet(rows=tuple(kept), source=source)


def is_screened(prompt: str) -> bool:
    """Whether a row is left out of every benchmark; a text that cannot be read is left out, too."""
    try:
        return is_forbidden(prompt)
    except InvalidInput:
        return True


def mixed(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in a fixed order that is as good as random, twins side by side.

    So the first n rows are a sample of the whole file, and a larger n holds the smaller one.
    """
    return sorted(rows, key=lambda row: (hashlib.sha256(_unit(row).encode()).hexdigest(), row.name))


def _unit(row: Row) -> str:
    return f"row {row.name}" if row.pair is None else f"pair {row.pair}"
