"""From the start of the command to the first 200 of /readyz."""

from __future__ import annotations

from counterpoint.bench.server.figure import exact, mean
from counterpoint.bench.server.running import command
from counterpoint.results import Figure

NOTES = """`counterpoint serve` with the embedded model and default settings: seconds from the start of the process to
the first 200 of /readyz, a trial picture included."""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Start the server `count` times."""
    seconds = []
    for _ in range(count):
        with command(threads=threads) as server:
            seconds.append(server.seconds_to_ready)
    return {
        "seconds to ready": mean(seconds, "s"),
        "seconds to ready, the slowest": exact(max(seconds), "s", count),
    }
