"""Servers to measure: one in this process, whose parts can be reached, or the real command in a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from counterpoint.bench.server.asking import Asker
from counterpoint.interfaces import InvalidInput
from counterpoint.server import loading
from counterpoint.server.config import ENV_PREFIX, Settings
from counterpoint.server.logs import OWN, SERVER, JsonLines
from counterpoint.server.run import make_server
from counterpoint.server.service import Service, Wrap

if TYPE_CHECKING:
    from counterpoint.pipeline import SafePipeline

START_SECONDS = 300.0
STOP_SECONDS = 120.0
ROOM: dict[str, Any] = {"max_queue": 1000, "max_per_key": 1000, "deadline_seconds": 3600.0}
"""Limits that are not to be met where something else is measured."""
SERVE = (sys.executable, "-m", "counterpoint.cli", "serve", "--port", "0")
LISTENS = "Uvicorn running on http://127.0.0.1:"


@dataclass(frozen=True)
class Inside:
    """A server in this process."""

    port: int
    service: Service
    server: uvicorn.Server
    thread: threading.Thread
    log: io.StringIO

    @property
    def safe(self) -> SafePipeline:
        """The pipeline that draws for the first model."""
        worker = next(iter(self.service.workers.values()))
        assert worker.safe is not None
        return worker.safe


@contextlib.contextmanager
def inside(
    settings: Settings, *, load: Callable[[str], Any] = loading.load_pipe, wrap: Wrap = loading.wrap
) -> Iterator[Inside]:
    """Run a server in a thread until the block ends; it is ready.

    Args:
        settings: The operator's; port 0 takes a free one.
        load: Returns the diffusers pipeline of a model's place.
        wrap: Returns the safe pipeline around it.

    Raises:
        InvalidInput: A model cannot be loaded.
    """
    service = Service(settings, load=load, wrap=wrap)
    server = make_server(settings, service)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonLines())
    for name in (OWN, SERVER):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started and "loading" not in service.states().values(), START_SECONDS)
        if not service.is_ready:
            raise InvalidInput("models", "one that cannot be loaded", "models that can; see the log")
        yield Inside(server.servers[0].sockets[0].getsockname()[1], service, server, thread, log)
    finally:
        server.should_exit = True
        thread.join(30)
        logging.getLogger().removeHandler(handler)
        assert not thread.is_alive()


@dataclass(frozen=True)
class Command:
    """`counterpoint serve` in a process of its own."""

    port: int
    process: subprocess.Popen[bytes]
    output: Path
    """File with all that it has printed."""
    seconds_to_ready: float
    """From the start of the process to the first 200 of /readyz."""

    @property
    def asker(self) -> Asker:
        """Somebody who asks it."""
        return Asker(self.port)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def command(*words: str, threads: int = 1, **settings: Any) -> Iterator[Command]:
    """Run the real command until the block ends; it is ready.

    Args:
        words: Further words of the command line.
        threads: CPU threads that it computes with.
        settings: The operator's, handed over as environment variables.

    Raises:
        InvalidInput: It did not become ready.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    for name, value in settings.items():
        environment[f"{ENV_PREFIX}{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    # Output goes into a file: a pipe that nobody reads would stop the server when it is full.
    with tempfile.TemporaryDirectory() as folder, (output := Path(folder) / "output").open("wb") as lines:
        started = time.perf_counter()
        process = subprocess.Popen([*SERVE, *words], env=environment, stdout=lines, stderr=subprocess.STDOUT)
        try:
            port = _port(process, output)
            until(lambda: process.poll() is not None or Asker(port).get("/readyz").status == 200, START_SECONDS, 0.02)
            if process.poll() is not None:
                raise _not_started(output)
            yield Command(port, process, output, time.perf_counter() - started)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            finally:
                process.kill()
                process.wait()


def memory_bytes(process: int) -> int:
    """Return what a process holds in main memory (Linux only).

    Raises:
        InvalidInput: The system does not tell.
    """
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        raise InvalidInput("system", sys.platform, "Linux: memory is read from /proc") from None
    return pages * os.sysconf("SC_PAGE_SIZE")


def private_bytes(process: int) -> int:
    """Return what a process has written itself, in main memory or swapped out (Linux only).

    Raises:
        InvalidInput: The system does not tell.
    """
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        raise InvalidInput("system", sys.platform, "Linux: memory is read from /proc") from None
    kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return (kibibytes["Anonymous"] + kibibytes["Swap"]) * 1024


def until(condition: Callable[[], Any], seconds: float = 30.0, every: float = 0.005) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: It did not come true.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(every)


def _port(process: subprocess.Popen[bytes], output: Path) -> int:
    until(lambda: process.poll() is not None or LISTENS in output.read_text(errors="replace"), START_SECONDS)
    told = output.read_text(errors="replace")
    if LISTENS not in told:
        raise _not_started(output)
    return int(told.split(LISTENS)[1].split()[0])


def _not_started(output: Path) -> InvalidInput:
    lines = output.read_text(errors="replace").splitlines()
    return InvalidInput("server", "one that does not start", lines[-1] if lines else "one that does")
