"""SneakyPrompt (Yang et al., IEEE S&P 2024, arXiv:2305.12082): NSFW-200, and what its search made of it.

Reads `nsfw_200.txt`, one prompt a line, or a results CSV of the authors' code (`original_text`, `perturbed_text`,
`result_type`), of which the rows are taken whose search succeeded. Columns and marks are those that the authors' code
writes; the list itself is given out on request and was not at hand. Neither holds seeds or categories.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import read_table, read_text
from counterpoint.interfaces import InvalidInput

SUCCEEDED = "Success"
"""How the code's mark for a found prompt begins; others are `Failed` and `Skipped`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows; a row's name and seed are its line's or row's number from 0.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    rows, version, sha256 = _lines(options.path) if options.path.endswith(".txt") else _found(options.path)
    return collect(
        mixed(rows), limit, licence="given out on request, research only; code MIT (Yuchen413/text2image_safety)",
        version=version, sha256=sha256, note="seeds are the rows' numbers",
    )  # fmt: skip


def _lines(path: str) -> tuple[list[Row], str, str]:
    content, text = read_text(path)
    rows = [
        Row(name=str(number), prompt=line, seed=number, is_unsafe=True) for number, line in enumerate(text.splitlines())
    ]
    return rows, f"{len(rows)} lines", hashlib.sha256(content).hexdigest()


def _found(path: str) -> tuple[list[Row], str, str]:
    table = read_table(path)
    table.require(["original_text", "perturbed_text", "result_type"])
    rows = [
        Row(
            name=name, prompt=row["perturbed_text"], seed=int(name), is_unsafe=True, stands_for=row["original_text"],
        )
        for name, row in table.numbered()
        if row["result_type"].strip().startswith(SUCCEEDED)
    ]  # fmt: skip
    if not rows:
        raise InvalidInput("path", path, f"results with at least one row whose result_type begins with {SUCCEEDED}")
    return rows, f"{len(rows)} found of {len(table.rows)}", table.sha256
