"""Read a table of prompts from a CSV or JSON file, and name it by its SHA-256.

No error quotes a cell: in a row whose quotes are broken any column may hold the prompt.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterpoint.interfaces import InvalidInput

LARGEST_SEED = 2**63 - 1
CALL = {"sd_guidance_scale": "guidance_scale", "evaluation_guidance": "guidance_scale",
        "sd_image_height": "height", "sd_image_width": "width"}  # fmt: skip
"""Columns of published sets that hold an argument of the pipeline."""
SEEDS = ("sd_seed", "evaluation_seed", "seed")
"""Columns of published sets that hold a row's seed, the first that is there."""
FORMATS = "a CSV file with a header, a JSON list of objects, or one object a line (.jsonl), in UTF-8"


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
            raise InvalidInput("path", Path(self.path).name, f"a file with the columns {', '.join(columns)}")

    def first_of(self, columns: Sequence[str]) -> str:
        """Return the first of some columns that is there.

        Raises:
            InvalidInput: None is.
        """
        for name in columns:
            if name in self.columns:
                return name
        raise InvalidInput("path", Path(self.path).name, f"a file with one of the columns {', '.join(columns)}")

    def numbered(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield each row with its name: its number from 0."""
        return ((str(number), row) for number, row in enumerate(self.rows))


def read_table(path: str, part: str | None = None) -> Table:
    """Read a CSV file with a header, or a JSON file of objects; what is no text in JSON is written as text.

    Args:
        path: The file; `.json` and `.jsonl` are JSON, all else is CSV.
        part: Key under which a JSON file keeps the rows; None = the file is the rows.

    Raises:
        InvalidInput: There is no such file, or it is no such table.
    """
    content, text = read_text(path)
    try:
        if path.endswith((".json", ".jsonl")):
            objects = _objects(text, is_lines=path.endswith(".jsonl"), part=part)
            columns = tuple(dict.fromkeys(name for row in objects for name in row))
            rows = tuple({name: _cell(row.get(name)) for name in columns} for row in objects)
        else:
            csv.field_size_limit(2**24)
            reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
            rows = tuple({name: value for name, value in row.items() if isinstance(name, str)} for row in reader)
            columns = tuple(reader.fieldnames or ())
    except (csv.Error, ValueError, TypeError, KeyError):
        where = "" if part is None else f" under {part!r}"
        raise InvalidInput("path", path, f"{FORMATS}{where}") from None  # the cause may quote the file
    if not columns or not rows:
        raise InvalidInput("path", path, f"{FORMATS}, and at least one row")
    return Table(path=path, columns=columns, rows=rows, sha256=hashlib.sha256(content).hexdigest())


def read_text(path: str) -> tuple[bytes, str]:
    """Return a file's content, as it is and as text.

    Raises:
        InvalidInput: There is no such file, or it is not UTF-8.
    """
    try:
        content = Path(path).read_bytes()
        return content, content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput("path", path, f"{FORMATS} ({error.strerror})") from error
    except UnicodeDecodeError:
        raise InvalidInput("path", path, FORMATS) from None


def _objects(text: str, *, is_lines: bool, part: str | None) -> list[Mapping[str, Any]]:
    """Return the rows of a JSON text; an object of numbered objects counts as a list."""
    found: Any = [json.loads(line) for line in text.splitlines() if line.strip()] if is_lines else json.loads(text)
    found = found if part is None else found[part]
    rows = list(found.values()) if isinstance(found, dict) else found
    if not all(isinstance(row, dict) for row in rows):
        raise TypeError("rows are objects")
    return list(rows)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def seed_of(row: Mapping[str, str], fallback: int) -> int:
    """Return the row's own seed, `fallback` where it has none.

    Raises:
        InvalidInput: The seed is no whole number from 0.
    """
    column = next((name for name in SEEDS if row.get(name)), None)
    if column is None:
        return fallback
    number = _number(column, row[column])
    if not 0 <= number <= LARGEST_SEED or number != int(number):
        raise InvalidInput(column, "another number", f"a whole number from 0 to {LARGEST_SEED} as the seed")
    return int(row[column]) if row[column].isdigit() else int(number)


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


def _number(column: str, text: str) -> float:
    try:
        value = float(text)
        int(value)  # NaN and infinity are no numbers here
    except (ValueError, OverflowError):
        raise InvalidInput(column, f"a text of {len(text)} characters", "a number") from None
    return value
