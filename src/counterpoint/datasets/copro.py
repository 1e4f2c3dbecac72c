"""CoProV2 of SafetyDPO (Liu et al., arXiv:2412.10493): written prompts in I2P's categories, each with a safe twin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import read_table
from counterpoint.interfaces import InvalidInput

Side = Literal["unsafe", "safe", "both"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    side: Side = "unsafe"
    """Which prompts of each pair; `both` draws the twins from the same seed."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows; the column `image` holds "u_idx_0000017_0.jpg" for an unsafe prompt and the
    same name with "s" for its safe twin.

    Raises:
        InvalidInput: The file or the side is not what it must be.
    """
    if options.side not in get_args(Side):
        raise InvalidInput("side", options.side, ", ".join(get_args(Side)))
    table = read_table(options.path)
    table.require(["prompt", "image", "category"])
    rows = []
    for name, row in table.numbered():
        is_unsafe, pair = _place(row["image"])
        rows.append(
            Row(
                name=name, prompt=row["prompt"], seed=int(pair.split("_")[0]), is_unsafe=is_unsafe,
                categories=(row["category"],), pair=f"{row['category']} {pair}",
            )
        )  # fmt: skip
    wanted = [row for row in rows if options.side == "both" or row.is_unsafe == (options.side == "unsafe")]
    return collect(
        mixed(wanted), limit, licence="MIT (Visualignment/SafetyDPO)", version=f"{len(table.rows)} rows",
        sha256=table.sha256, note="written by a language model; seeds are the pairs' numbers",
    )  # fmt: skip


def _place(image: str) -> tuple[bool, str]:
    """Return whether a prompt is the unsafe one, and what its twin shares: the numbers in the picture's name."""
    match = re.fullmatch(r"([us])_(?:idx_)?(\d+(?:_\d+)?)(?:\.\w+)?", image)
    if match is None:
        allowed = "u_NUMBER or s_NUMBER, as u_idx_0000017_0.jpg"
        raise InvalidInput("image", f"a text of {len(image)} characters", allowed)
    return match[1] == "u", match[2]
