"""Ten times more requests than the server can draw: bounded memory, honest refusals, a quick recovery."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from counterpoint.bench.batching import HARMLESS
from counterpoint.bench.server.asking import Answer, Asker
from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.running import Command, command, memory_bytes, until
from counterpoint.results import Figure, rate

FACTOR = 10
QUEUE = 8
TRIAL_PICTURES = 40
MOST_WAITING = 500
"""Callers that wait at the same time: more than the queue, the socket's backlog and the refusals need."""
NOTES = f"""First {TRIAL_PICTURES} pictures by four callers who each wait for theirs: the rate that the server can draw.
Then {FACTOR} times that rate for the seconds that the command names, whatever comes back. `max_queue` is {QUEUE}, other
settings are the defaults. "Refused in order" is 429 or 503 with `Retry-After`. Recovery is the time from the last
request of the overload to a picture that was asked for after it, in new tries until there is room. Memory is what the
process holds (resident)."""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Overload the server for `count` seconds."""
    with command(threads=threads, max_queue=QUEUE, max_per_key=1000) as server:
        asker = server.asker
        with ThreadPoolExecutor(4) as callers:
            started = time.perf_counter()
            list(callers.map(lambda seed: asker.draw(HARMLESS[0], seed=seed), range(TRIAL_PICTURES)))
            capacity = TRIAL_PICTURES / (time.perf_counter() - started)
        before = memory_bytes(server.process.pid)
        with ThreadPoolExecutor(MOST_WAITING) as callers:
            sent, sizes, slowest = _overload(server, callers, FACTOR * capacity, count)
            recovery = _recovery(asker)
            answers = [one.result() for one in sent]
        until(lambda: asker.metric("counterpoint_queue_pictures") == 0)
        after = memory_bytes(server.process.pid)
    return {
        "requests a second, drawn before": exact(capacity, "1/s", TRIAL_PICTURES),
        "requests a second, sent": exact(len(sent) / count, "1/s", len(sent)),
        **told(answers),
        "seconds to recover": exact(recovery, "s"),
        "slowest answer of /livez meanwhile": exact(slowest, "s"),
        "memory before": exact(before / 2**20, "MiB"),
        "memory, most": exact(max([*sizes, after]) / 2**20, "MiB", len(sizes)),
        "memory after": exact(after / 2**20, "MiB"),
    }


def told(answers: Sequence[Answer]) -> dict[str, Figure]:
    """Count pictures, refusals in order, and everything else."""
    n = len(answers)
    drawn = sum(answer.sha256 is not None for answer in answers)
    refused = sum(answer.status in (429, 503) and "retry-after" in answer.headers for answer in answers)
    return {
        "drawn": rate(drawn, n),
        "refused in order": rate(refused, n),
        "neither": rate(n - drawn - refused, n),
    }


def _overload(
    server: Command, callers: ThreadPoolExecutor, per_second: float, seconds: float
) -> tuple[list[Future[Answer]], list[int], float]:
    """Send at a rate that does not wait for answers; return those, the memory on the way, and the slowest /livez."""
    asker, slowest, next_look = server.asker, 0.0, 0.0
    sent: list[Future[Answer]] = []
    sizes: list[int] = []
    started = time.perf_counter()
    while (now := time.perf_counter() - started) < seconds:
        while len(sent) < now * per_second:
            sent.append(callers.submit(asker.draw, HARMLESS[0], seed=len(sent)))
        if now >= next_look:
            sizes.append(memory_bytes(server.process.pid))
            asker.get("/livez")
            slowest = max(slowest, time.perf_counter() - started - now)
            next_look = now + 1.0
        time.sleep(0.002)
    return sent, sizes, slowest


def _recovery(asker: Asker) -> float:
    started = time.perf_counter()
    while asker.draw(HARMLESS[0], seed=0).sha256 is None:
        time.sleep(0.05)
    return time.perf_counter() - started
