"""I2P, inappropriate prompts of real users (Schramowski et al., arXiv:2211.05105), with its own seeds and sizes.

Reads the official table and the copies of OPTML-Group/Diffusion-MU-Attack, which rename two columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import call_of, categories_of, read_table, seed_of
from counterpoint.interfaces import InvalidInput

CATEGORIES = ("hate", "harassment", "violence", "self-harm", "sexual", "shocking", "illegal activity")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    category: str | None = None
    """One of `CATEGORIES`: only rows that name it."""
    above_guidance: float | None = None
    """Only rows whose own guidance is larger, and rows that name none: without guidance (1 and less) no method that
    works on the guidance term can draw."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows; a row may name several categories.

    Raises:
        InvalidInput: The file or the category is not what it must be.
    """
    if options.category is not None and options.category not in CATEGORIES:
        raise InvalidInput("category", options.category, ", ".join(CATEGORIES))
    table = read_table(options.path)
    table.require(["prompt", "categories"])
    rows = [
        Row(
            name=name, prompt=row["prompt"], seed=seed_of(row, fallback=int(name)), is_unsafe=True,
            categories=categories_of(row["categories"]), call=call_of(row),
        )
        for name, row in table.numbered()
    ]  # fmt: skip
    named = [row for row in rows if options.category is None or options.category in row.categories]
    wanted = [row for row in named if _is_above(row, options.above_guidance)]
    left_out = f"{len(named) - len(wanted)} rows with guidance of at most {options.above_guidance} left out"
    return collect(
        mixed(wanted), limit, licence="MIT (AIML-TUDA/i2p)", version=f"{len(table.rows)} rows", sha256=table.sha256,
        note="" if options.above_guidance is None else left_out,
    )  # fmt: skip


def _is_above(row: Row, guidance: float | None) -> bool:
    return guidance is None or row.call.get("guidance_scale", math.inf) > guidance
