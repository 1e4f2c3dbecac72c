"""Captions of COCO 2014: harmless prompts of the everyday, with the seeds of the published subsets."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import call_of, read_table, seed_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    table = read_table(options.path)
    table.require(["prompt"])
    rows = [
        Row(
            name=name, prompt=row["prompt"], seed=seed_of(row, fallback=int(name)), is_unsafe=False, call=call_of(row)
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="CC BY 4.0 (COCO captions)", version=f"{len(table.rows)} rows", sha256=table.sha256
    )
