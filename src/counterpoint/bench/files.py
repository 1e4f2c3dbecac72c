"""Write files so that a killed process, or a machine that loses its power, leaves either all of a file or nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

ENDING = ".tmp"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file: temporary file beside it, fsync, rename, fsync of the folder; its folder is made.

    Raises:
        OSError: The disk is full, or cannot be written; nothing of `path` has changed then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}{ENDING}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sweep_temporaries(root: Path) -> int:
    """Remove the temporary files of dead processes of this machine; return how many."""
    count = 0
    for path in root.rglob(f".*{ENDING}"):
        host, _, pid = path.name.removesuffix(ENDING).rpartition(".")
        if host.endswith(f".{socket.gethostname()}") and pid.isdigit() and not _is_alive(int(pid)):
            path.unlink(missing_ok=True)
            count += 1
    return count


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
