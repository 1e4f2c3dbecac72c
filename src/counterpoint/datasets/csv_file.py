"""Any CSV file of prompts; the options name its columns."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import call_of, categories_of, read_table, seed_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    prompt: str = "prompt"
    """Column of the prompts."""
    category: str | None = None
    """Column of the categories, parted by commas; None = none."""
    is_unsafe: bool | None = None
    """What all its prompts ask for; None = not known, so only what holds for any prompt is counted."""
    licence: str = "not stated"
    """Recorded with every figure."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows, with the seeds, sizes and guidance that the file holds under their known names.

    Raises:
        InvalidInput: The file or a column is not there.
    """
    table = read_table(options.path)
    table.require([options.prompt] if options.category is None else [options.prompt, options.category])
    rows = [
        Row(
            name=name, prompt=row[options.prompt], seed=seed_of(row, fallback=int(name)), is_unsafe=options.is_unsafe,
            categories=() if options.category is None else categories_of(row[options.category]), call=call_of(row),
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    return collect(mixed(rows), limit, licence=options.licence, version=f"{len(table.rows)} rows", sha256=table.sha256)
