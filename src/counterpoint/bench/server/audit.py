"""What the server's threads ask of the system: connections, and files that are written."""

from __future__ import annotations

import functools
import os
import sys
import threading
from typing import Any, Literal

NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"})
CHANGES = frozenset(
    {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate", "os.chmod"}
)
STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"})
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Audit:
    """While the block runs, notes what threads other than the one that began it do.

    Python tells its audit hooks of each connection, look-up of an address, opened file and started program. What a
    library does in C without Python is not seen.

    Args:
        marker: A file whose name holds this text must not even be read.
    """

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self.seen: list[Literal["network", "files"]] = []
        self._asker = threading.get_ident()

    def __enter__(self) -> Audit:
        """Begin."""
        _listen()
        _running.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        _running.remove(self)

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        """Look at one event."""
        if threading.get_ident() == self._asker:
            return
        if event in NETWORK:
            self.seen.append("network")
        elif event in CHANGES or event in STARTS or (event == "open" and self._is_wrong(*args)):
            self.seen.append("files")

    def _is_wrong(self, path: object, mode: object, flags: int) -> bool:
        if isinstance(path, int):  # open already
            return False
        return bool(flags & WRITES) or self.marker in os.fsdecode(path if isinstance(path, bytes) else str(path))


_running: list[Audit] = []


@functools.cache
def _listen() -> None:
    """Install the one hook; a hook cannot be taken out again."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        for audit in _running:
            audit.note(event, args)

    sys.addaudithook(hook)
