"""Many requests, one after the other: does the process grow?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.load import requests
from counterpoint.bench.server.running import command, memory_bytes, private_bytes
from counterpoint.results import Figure, rate

WARM = 1 / 3
"""Part of the requests before memory counts: caches and the allocator fill first."""
MARKS = 6
"""Places, first and last among them, at which the memory itself is told."""
NOTES = """One caller, a request at a time, each with a prompt and seed of its own. After each, two figures are read:
the process's private memory (what it has written, in main memory or swapped out: what a leak makes grow), and its
resident memory, of which pages of files, such as mapped weights, come when they are first read and go when the system
wants them. The slope is the least-squares line's over the last two thirds, with its 95 % interval, and again over the
last third alone, so that warming up can be told from a leak. Memory comes in pages and jumps: short runs are coarse.
"""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Send `count` requests."""
    private: list[float] = []
    resident: list[float] = []
    drawn = 0
    with command(threads=threads) as server:
        for prompt, seed in requests(count):
            drawn += server.asker.draw(prompt, seed=seed).sha256 is not None
            private.append(private_bytes(server.process.pid) / 1000)
            resident.append(memory_bytes(server.process.pid) / 1000)
    return {"drawn": rate(drawn, count), **figures(private, resident)}


def figures(private: Sequence[float], resident: Sequence[float]) -> dict[str, Figure]:
    """Return the slopes, and the private memory at some places, of what was read after each request, in kB."""
    counted = int(WARM * len(private))
    late = len(private) - (len(private) - counted) // 2
    marks = [round(place) for place in np.linspace(0, len(private) - 1, MARKS)]
    return {
        "private memory, slope": slope(private[counted:], "kB/request"),
        "private memory, slope of the last third": slope(private[late:], "kB/request"),
        "resident memory, slope": slope(resident[counted:], "kB/request"),
        **{f"private memory after request {mark + 1}": exact(private[mark] * 1000 / 2**20, "MiB") for mark in marks},
    }


def slope(values: Sequence[float], unit: str) -> Figure:
    """Return the least-squares slope over 0, 1, 2, ... with its normal 95 % interval; at least three values."""
    y = np.asarray(values, dtype=float)
    x = np.arange(len(y)) - (len(y) - 1) / 2
    spread = float((x * x).sum())
    value = float((x * y).sum() / spread)
    rest = y - y.mean() - value * x
    error = float(np.sqrt((rest * rest).sum() / (len(y) - 2) / spread))
    return Figure(value=value, low=value - 1.96 * error, high=value + 1.96 * error, n=len(y), unit=unit)
