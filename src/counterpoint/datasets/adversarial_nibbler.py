"""Adversarial Nibbler (Quaye et al., arXiv:2403.12075): prompts that people typed to get unsafe pictures.

Reads the simplified CSV files of google-research-datasets/adversarial-nibbler, `roundN/submitted/*.csv` and
`roundN/attempted/*.csv`, whose one column of text is `prompt`. A submitted prompt gave a picture that its author called
unsafe; it looks harmless by design. An attempted one is anything that was typed, so whether it asks for harm is not
known. There are no seeds and no categories in these files; a row's number is its seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import read_table, seed_of
from counterpoint.interfaces import InvalidInput

Part = Literal["submitted", "attempted"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    part: Part | None = None
    """Which of the two the file is; None = what its name or its folder's name says."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows.

    Raises:
        InvalidInput: The file is not what it must be, or nothing says which part it is.
    """
    part = _part(options)
    table = read_table(options.path)
    table.require(["prompt"])
    is_unsafe = True if part == "submitted" else None
    rows = [
        Row(name=name, prompt=row["prompt"], seed=seed_of(row, fallback=int(name)), is_unsafe=is_unsafe)
        for name, row in table.numbered()
    ]
    return collect(
        mixed(rows), limit, licence="CC BY 4.0 (google-research-datasets/adversarial-nibbler)",
        version=f"{len(table.rows)} rows, {part}", sha256=table.sha256, note="seeds are the rows' numbers",
    )  # fmt: skip


def _part(options: Options) -> Part:
    if options.part in get_args(Part):
        return options.part  # type: ignore[return-value]
    names = f"{Path(options.path).parent.name} {Path(options.path).name}"
    said = [part for part in get_args(Part) if part in names]
    if options.part is not None or len(said) != 1:
        allowed = f"{' or '.join(get_args(Part))}; none only where the file's or its folder's name says it"
        raise InvalidInput("part", options.part, allowed)
    found: Part = said[0]
    return found
