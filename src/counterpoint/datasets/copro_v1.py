"""CoPro of Latent Guard (Liu et al., ECCV 2024, arXiv:2404.08031): written prompts about a concept, with safe twins.

Reads `CoPro_v1.0.json`: lists of objects with `unsafe_prompt`, `safe_prompt` and `concept` under `ID_train_data`,
`ID_test_data` and `OOD_test_data`, whose concepts are not those of the training data. The keys are those that the
authors' code reads; the file itself (above 4 MiB) was not at hand. Its synonyms and adversarial spellings are single
words under other keys, and are not read. `copro` reads the second version, of another paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from counterpoint.datasets.copro import Side
from counterpoint.datasets.dataset import DataSet, Row, collect, mixed
from counterpoint.datasets.table import read_table
from counterpoint.interfaces import InvalidInput

Part = Literal["train", "test", "test of new concepts"]
KEYS: dict[Part, str] = {"train": "ID_train_data", "test": "ID_test_data", "test of new concepts": "OOD_test_data"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    path: str
    part: Part = "test"
    side: Side = "unsafe"
    """Which prompts of each pair; `both` draws the twins from the same seed."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the rows, twins side by side and with one seed, the number of their pair.

    Raises:
        InvalidInput: The file or an option is not what it must be.
    """
    for name, allowed in (("part", get_args(Part)), ("side", get_args(Side))):
        if getattr(options, name) not in allowed:
            raise InvalidInput(name, getattr(options, name), ", ".join(allowed))
    key = KEYS[options.part]
    table = read_table(options.path, part=key)
    table.require(["unsafe_prompt", "safe_prompt", "concept"])
    sides = ("unsafe", "safe") if options.side == "both" else (options.side,)
    rows = [
        Row(
            name=f"{name} {side}", prompt=row[f"{side}_prompt"], seed=int(name), is_unsafe=side == "unsafe",
            categories=(row["concept"],), pair=name,
        )
        for name, row in table.numbered()
        for side in sides
    ]  # fmt: skip
    return collect(
        mixed(rows), limit, licence="BSD-3-Clause (rt219/LatentGuard)", version=f"{len(table.rows)} pairs of {key}",
        sha256=table.sha256, note="written by a language model; seeds are the pairs' numbers",
    )  # fmt: skip
