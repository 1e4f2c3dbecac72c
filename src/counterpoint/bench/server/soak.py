"""Many requests, one after the other: does the process grow?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.load import requests
from counterpoint.bench.server.running import command, memory_bytes
from counterpoint.results import Figure, rate

WARM = 0.2
"""Part of the requests before memory counts: caches and the allocator fill first."""
NOTES = f"""One caller, a request at a time, each with a prompt and seed of its own. The process's resident memory is
read after each; the slope is the least-squares line's over the last {1 - WARM:.0%} of them, with its 95 % interval.
Memory comes in pages and jumps, so that the interval is wide where there are few requests."""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Send `count` requests."""
    sizes: list[int] = []
    drawn = 0
    with command(threads=threads) as server:
        for prompt, seed in requests(count):
            drawn += server.asker.draw(prompt, seed=seed).sha256 is not None
            sizes.append(memory_bytes(server.process.pid))
    counted = sizes[int(WARM * count) :]
    return {
        "drawn": rate(drawn, count),
        "memory slope": slope([size / 1000 for size in counted], "kB/request"),
        "memory where counting begins": exact(counted[0] / 2**20, "MiB"),
        "memory at the end": exact(counted[-1] / 2**20, "MiB"),
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
