"""Pictures and verdicts by content: the key of a picture is the hash of everything that decides it.

    pictures/ab/ab12...ef.png      the picture
    records/ab/ab12...ef.json      how it was made, and the picture's SHA-256
    verdicts/JUDGE/ab/ab12...json  what a judge said of that picture

Other rooms are named where they are written, see `features` and `second_order`.

A record is written after its picture, so it is the only proof that a picture is finished. It holds a checksum
of itself, so that one damaged byte makes it count as missing. Several processes may write into one store; what
two of them draw under one key is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from counterpoint.bench.files import sweep_temporaries, write_whole

CHECK = "check"
"""Field of a record: the first half of the SHA-256 of the rest. Runs before it was there have none."""


def content_key(parts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the parts as canonical JSON.

    Raises:
        TypeError: A part is no plain JSON value.
        ValueError: A number is not finite.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """A folder of pictures and records.

    Args:
        root: The folder; it is made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def picture_path(self, key: str) -> Path:
        """Return where a picture lies."""
        return self.root / "pictures" / key[:2] / f"{key}.png"

    def write_picture(self, key: str, png: bytes, record: Mapping[str, Any]) -> None:
        """Write a picture, then the record that proves it."""
        write_whole(self.picture_path(key), png)
        self.write("records", key, {**record, "sha256": hashlib.sha256(png).hexdigest()})

    def write(self, room: str, key: str, record: Mapping[str, Any]) -> None:
        """Write a record into a room: `records`, or `verdicts/...`."""
        content = json.dumps({**record, CHECK: _checksum(record)}, allow_nan=False, sort_keys=True) + "\n"
        write_whole(self._path(room, key), content.encode())

    def read(self, room: str, key: str) -> dict[str, Any] | None:
        """Return a record; None where there is none, or a damaged one."""
        try:
            record = json.loads(self._path(room, key).read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(record, dict):
            return None
        check = record.pop(CHECK, None)
        return record if check is None or check == _checksum(record) else None

    def record(self, key: str) -> dict[str, Any] | None:
        """Return a picture's record; None unless the picture is there, byte for byte as it was written.

        A record of an error, or of a picture that a method withheld, has no picture.
        """
        record = self.read("records", key)
        if record is None or record.get("key") != key:
            return None
        if record.get("sha256") is None:
            return record if record.get("error") or record.get("withheld") else None
        return record if self._sha256(key) == record["sha256"] else None

    def sweep(self) -> int:
        """Remove what dead writers left half done; return how many files."""
        return sweep_temporaries(self.root)

    def _path(self, room: str, key: str) -> Path:
        return self.root / room / key[:2] / f"{key}.json"

    def _sha256(self, key: str) -> str | None:
        try:
            return hashlib.sha256(self.picture_path(key).read_bytes()).hexdigest()
        except OSError:
            return None


def _checksum(record: Mapping[str, Any]) -> str:
    return content_key(record)[:32]
