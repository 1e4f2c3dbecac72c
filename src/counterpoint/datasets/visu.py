"""ViSU of Safe-CLIP (Poppi et al., arXiv:2311.16254): captions of COCO, each with an unsafe twin.

Reads the JSON files of aimagelab/ViSU-Text (`ViSU-Text_test.json`: objects with `safe`, `nsfw`, `tag`, `coco_id`, ...),
or the same columns as CSV. The files are given out on request and were not at hand: form and columns are those of the
data set's card and of public readers.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import categories_of, read_table


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    """JSON or CSV file with the columns `safe`, `nsfw` and `tag`."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows, twins side by side and with one seed, the number of their row.

    Raises:
        InvalidInput: The file is not what it must be.
    """
    table = read_table(options.path)
    table.require(["safe", "nsfw", "tag"])
    rows = [
        Row(
            name=f"{name} {side}", prompt=row[side], seed=int(name), is_unsafe=side == "nsfw",
            categories=categories_of(row["tag"]), pair=name,
        )
        for name, row in table.numbered()
        for side in ("nsfw", "safe")
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="Creative Commons, non-commercial use only, on request (aimagelab/ViSU-Text)",
        version=f"{len(table.rows)} pairs", sha256=table.sha256,
    )  # fmt: skip
