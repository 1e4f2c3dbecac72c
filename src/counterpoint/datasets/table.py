"""Read a table of prompts from a CSV file, and name it by its SHA-256."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from counterpoint.interfaces import InvalidInput

LARGEST_SEED = 2**63 - 1
CALL = {"sd_guidance_scale": "guidance_scale", "evaluation_guidance": "guidance_scale",
        "sd_image_height": "height", "sd_image_width": "width"}  # fmt: skip
"""Columns of published sets that hold an argument of the pipeline."""
SEEDS = ("sd_seed", "evaluation_seed", "seed")
"""Columns of published sets that hold a row's seed, the first that is there."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of one file, each a mapping from column to text."""

    path: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    sha256: str

    def require(self, columns: Sequence[str]) -> None:
        """Raise InvalidInput unless all columns are there."""
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise InvalidInput("path", Path(self.path).name, f"a CSV file with the columns {', '.join(columns)}")

    def numbered(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield each row with its name: its number from 0."""
        return ((str(number), row) for number, row in enumerate(self.rows))


def read_table(path: str) -> Table:
    """Read a CSV file with a header, in UTF-8.

    Raises:
        InvalidInput: There is no such file, or it is no such table.
    """
    allowed = "a CSV file with a header, in UTF-8"
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput("path", path, f"{allowed} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidInput("path", path, allowed) from error
    csv.field_size_limit(2**24)
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    rows = tuple({name: value for name, value in row.items() if isinstance(name, str)} for row in reader)
    if not reader.fieldnames or not rows:
        raise InvalidInput("path", path, f"{allowed} and at least one row")
    return Table(path=path, columns=tuple(reader.fieldnames), rows=rows, sha256=hashlib.sha256(content).hexdigest())


def seed_of(row: Mapping[str, str], fallback: int) -> int:
    """Return the row's own seed, `fallback` where it has none.

    Raises:
        InvalidInput: The seed is no whole number from 0.
    """
    text = next((row[name] for name in SEEDS if row.get(name)), None)
    if text is None:
        return fallback
    number = _number("seed", text)
    if not 0 <= number <= LARGEST_SEED or number != int(number):
        raise InvalidInput("seed", text, f"a whole number from 0 to {LARGEST_SEED}")
    return int(text) if text.isdigit() else int(number)


def call_of(row: Mapping[str, str]) -> dict[str, float]:
    """Return the pipeline's arguments that the row holds; a size as a whole number."""
    call: dict[str, float] = {}
    for column, name in CALL.items():
        if row.get(column):
            value = _number(column, row[column])
            call[name] = value if name == "guidance_scale" else int(value)
    return call


def categories_of(text: str) -> tuple[str, ...]:
    """Split "hate, violence" into its names."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(field, text, "a number") from None
