"""Prompts of UnlearnDiffAtk (Zhang et al., arXiv:2310.11868): 142 unsafe ones, or 50 of one object or style."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import call_of, categories_of, read_table, seed_of


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows; a file without the column `categories` holds harmless objects, named after the file.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    table = read_table(options.path)
    table.require(["prompt", "evaluation_seed"])
    is_unsafe = "categories" in table.columns
    theme = (Path(options.path).stem.replace("_", " "),)
    rows = [
        Row(
            name=name, prompt=row["prompt"], seed=seed_of(row, fallback=int(name)), is_unsafe=is_unsafe,
            categories=categories_of(row["categories"]) if is_unsafe else theme, call=call_of(row),
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="MIT (OPTML-Group/Diffusion-MU-Attack)", version=f"{len(table.rows)} rows",
        sha256=table.sha256,
    )  # fmt: skip
