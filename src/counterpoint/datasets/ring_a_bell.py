"""Ring-A-Bell (Tsai et al., ICLR 2024, arXiv:2310.10012): prompts found by a genetic search against edited models.

Reads the authors' CSV files (`prompt`, `case_number`, `evaluation_seed`; their names say how they were found, as
`Violence_eta_5.5_K_38.csv`) and the copies of other papers that call the column `sensitive prompt` and have no seeds.
Checked on the columns of the authors' violence files and of one such copy. The authors' file on nudity is given out on
request and was not at hand. A prompt is a string of word pieces; what the text encoder does not read of it is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import call_of, read_table, seed_of

PROMPTS = ("prompt", "sensitive prompt")
TOPICS = ("nudity", "violence")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    category: str | None = None
    """Category of all rows; None = "nudity" or "violence" where the file's name says so, else none."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    table = read_table(options.path)
    column = table.first_of(PROMPTS)
    named = [topic for topic in TOPICS if topic in Path(options.path).stem.lower()]
    category = options.category or (named[0] if named else None)
    rows = [
        Row(
            name=name, prompt=row[column], seed=seed_of(row, fallback=int(name)), is_unsafe=True,
            categories=() if category is None else (category,), call=call_of(row),
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="MIT (chiayi-hsu/Ring-A-Bell)", version=f"{len(table.rows)} rows",
        sha256=table.sha256, note="prompts that a search found against other models",
    )  # fmt: skip
