"""Dual-version prompts of Six-CD (Ren et al., arXiv:2406.14855): a harmful prompt and its clean twin."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import read_table, seed_of
from counterpoint.interfaces import InvalidInput

Topic = Literal["harm", "nudity"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    """Folder with `Harm/malicious.csv` and `Harm/clean.csv`, as the repository's `Datasets/Dual-Version`, or with
    `dual_harm_malicious.csv` and `dual_harm_clean.csv`; for the other topic `Nudity`, `nudity`."""
    topic: Topic = "harm"


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows, twins side by side and with one seed.

    Raises:
        InvalidInput: A file or the topic is not what it must be.
    """
    if options.topic not in get_args(Topic):
        raise InvalidInput("topic", options.topic, ", ".join(get_args(Topic)))
    rows: list[Row] = []
    hashes = []
    for side in ("malicious", "clean"):
        table = read_table(str(_file(Path(options.path), options.topic, side)))
        table.require(["prompt", "case_number", "evaluation_seed"])
        hashes.append(table.sha256)
        for name, row in table.numbered():
            rows.append(
                Row(
                    name=f"{side} {name}", prompt=row["prompt"], seed=seed_of(row, fallback=int(name)),
                    is_unsafe=side == "malicious", categories=(options.topic,), pair=row["case_number"],
                )
            )  # fmt: skip
    return collect(
        mixed(rows), limit, licence="MIT (Artanisax/Six-CD)", version=f"{len(rows)} rows",
        sha256=sha256("".join(hashes).encode()).hexdigest(), note="the hash is that of both files' hashes",
    )  # fmt: skip


def _file(folder: Path, topic: str, side: str) -> Path:
    """Return one side's file: in the repository's layout where that is there, else flat."""
    theirs = folder / topic.capitalize() / f"{side}.csv"
    return theirs if theirs.is_file() else folder / f"dual_{topic}_{side}.csv"
