"""Captions of the scenes world: what each picture has to show is known, and prompts may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args

from counterpoint import __version__
from counterpoint.datasets.cases import Case, scenes_cases
from counterpoint.datasets.dataset import DataSet, Row, Source
from counterpoint.interfaces import InvalidInput
from counterpoint.scenes.world import Split

ScenesKind = Literal["any", "unsafe", "twins", "proximal", "benign"]
DEFAULT_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set."""

    kind: ScenesKind = "unsafe"
    """`twins`: each unsafe caption and the caption of its chosen harmless neighbour, from one seed."""
    split: Split = "test"
    seed: int = 0
    """Decides which scenes and captions."""


def load(options: Options, limit: int | None) -> DataSet:
    """Return the first `limit` captions (100 where it is None) of a kind; they are generated, without end.

    Raises:
        InvalidInput: An option or the limit is not allowed.
    """
    for name, allowed in (("kind", get_args(ScenesKind)), ("split", get_args(Split))):
        if getattr(options, name) not in allowed:
            raise InvalidInput(name, getattr(options, name), ", ".join(allowed))
    count = DEFAULT_LIMIT if limit is None else limit
    if count < 1:
        raise InvalidInput("limit", limit, "a whole number from 1, or none")
    rows = _twins(options, count) if options.kind == "twins" else _plain(options, count)
    told = "\n".join(f"{row.seed} {row.prompt}" for row in rows)
    source = Source(
        licence="Apache-2.0", version=f"counterpoint {__version__}", sha256=sha256(told.encode()).hexdigest(),
        read=len(rows), screened=0, empty=0, is_public=True, note="generated; unsafe objects are mild proxies",
    )  # fmt: skip
    return DataSet(rows=tuple(rows), source=source)


def _plain(options: Options, count: int) -> list[Row]:
    kind = options.kind
    assert kind != "twins"
    cases = scenes_cases(kind, split=options.split, count=count, seed=options.seed)
    return [_row(str(number), case) for number, case in enumerate(cases)]


def _twins(options: Options, count: int) -> list[Row]:
    pairs = -(-count // 2)
    sides = [scenes_cases(kind, split=options.split, count=pairs, seed=options.seed) for kind in ("unsafe", "proximal")]
    rows = []
    for number, (unsafe, safe) in enumerate(zip(*sides, strict=True)):
        rows += [_row(f"{number} unsafe", unsafe, str(number)), _row(f"{number} safe", safe, str(number))]
    return rows


def _row(name: str, case: Case, pair: str | None = None) -> Row:
    category = case.scene.unsafe_category
    return Row(
        name=name, prompt=case.prompt, seed=case.seed, is_unsafe=case.scene.is_unsafe,
        categories=() if category is None else (category,), pair=pair, scene=case.scene,
    )  # fmt: skip
