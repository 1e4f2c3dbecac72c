"""Progress of a stage on stderr: how many, how fast, how long still."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


class Counter:
    """Counts what is done."""

    def __init__(self, label: str, total: int, bar: Progress | None) -> None:
        self.label, self.total, self.done = label, total, 0
        self._bar = bar
        self._task = None if bar is None else bar.add_task(label, total=total, rate="")
        self._started = self._told = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Say that so many more are done."""
        self.done += count
        now = time.monotonic()
        rate = self.done / max(now - self._started, 1e-9)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count, rate=f"{rate:.2f}/s")
        elif now - self._told >= EVERY:
            self._told = now
            left = (self.total - self.done) / rate
            sys.stderr.write(f"{self.label}: {self.done} of {self.total}, {rate:.2f}/s, {left:.0f} s left\n")


@contextmanager
def progress(label: str, total: int) -> Iterator[Counter]:
    """Show a bar where stderr is a terminal, else a line now and then; nothing where there is nothing to do."""
    console = Console(stderr=True)
    if not console.is_terminal or total == 0:
        yield Counter(label, total, None)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        yield Counter(label, total, bar)
