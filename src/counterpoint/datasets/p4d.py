"""P4D, Prompting4Debugging (Chin et al., ICML 2024, arXiv:2309.06135): prompts found by gradient against safe models.

Reads `p4dn_16_prompt.csv` of the hub (joycenerd/p4d, CC BY 4.0) and what the authors' code writes: the columns of the
table it started from, I2P's, with the found text in `prompt`. The hub's file is given out on request and was not at
hand; `prompt` is the column that public readers of it take. The tables in the authors' repository have the same columns
and hold the texts that the search starts from, not what it found.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import call_of, categories_of, read_table, seed_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows, with the file's own seeds, guidance and categories where it has them.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    table = read_table(options.path)
    table.require(["prompt"])
    rows = [
        Row(
            name=name, prompt=row["prompt"], seed=seed_of(row, fallback=int(name)), is_unsafe=True,
            categories=categories_of(row.get("categories", "")), call=call_of(row),
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="CC BY 4.0 (joycenerd/p4d)", version=f"{len(table.rows)} rows",
        sha256=table.sha256, note="prompts that a search found against other models",
    )  # fmt: skip
