"""Many clients at once against the same requests one after the other: nothing lost, doubled, swapped or wrong."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from counterpoint.bench.batching import ENGAGED, HARMLESS
from counterpoint.bench.server.asking import Answer, Asker
from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.running import ROOM, command
from counterpoint.results import Figure, rate

CLIENTS = 64
NOTES = f"""{CLIENTS} clients, each with a request of its own at a time, against a server with default settings but for
the limits of queue, key and deadline; the same requests one after the other, in another start of the server, say what
each picture is (SHA-256 of the file, computed by the caller).

Lost: no answer with a picture. Swapped: the picture of another request. Wrong: bytes that no request has. Doubled: a
picture that two requests got, or one that was drawn and asked for once less."""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Ask `count` different requests, one after the other and by 64 clients at once."""
    asks = requests(count)
    with command(threads=threads) as server:
        started = time.perf_counter()
        serial = [_draw(server.asker, ask) for ask in asks]
        serial_seconds = time.perf_counter() - started
    with command(threads=threads, **ROOM) as server, ThreadPoolExecutor(CLIENTS) as clients:
        drawn_before = server.asker.metric("counterpoint_pictures_total")
        started = time.perf_counter()
        answers = list(clients.map(lambda ask: _draw(server.asker, ask), asks))
        seconds = time.perf_counter() - started
        drawn = server.asker.metric("counterpoint_pictures_total") - drawn_before
    return {
        **compared([answer.sha256 for answer in serial], answers, int(drawn)),
        "requests a second, one after the other": exact(count / serial_seconds, "1/s", count),
        f"requests a second, {CLIENTS} clients": exact(count / seconds, "1/s", count),
    }


def requests(count: int) -> list[tuple[str, int]]:
    """Return prompts, harmless and engaged ones in turn, each with a seed of its own."""
    prompts = itertools.cycle(itertools.chain.from_iterable(zip(HARMLESS, ENGAGED, strict=True)))
    return list(zip(itertools.islice(prompts, count), range(count), strict=True))


def compared(wanted: Sequence[str | None], answers: Sequence[Answer], drawn: int) -> dict[str, Figure]:
    """Count what went wrong.

    Args:
        wanted: SHA-256 of each request's picture, all different.
        answers: What each request got.
        drawn: Pictures that the server has drawn for them.

    Raises:
        ValueError: A wanted picture is missing, or two are the same: then nothing can be told.
    """
    if None in wanted or len(set(wanted)) != len(wanted):
        raise ValueError("the requests one after the other did not give as many different pictures")
    got = [answer.sha256 for answer in answers]
    lost = sum(one is None for one in got)
    others = [one for one, right in zip(got, wanted, strict=True) if one is not None and one != right]
    repeated = sum(times - 1 for one, times in Counter(got).items() if one is not None)
    n = len(wanted)
    return {
        "lost": rate(lost, n),
        "doubled": rate(max(repeated, drawn - (n - lost), 0), n),
        "swapped": rate(sum(one in set(wanted) for one in others), n),
        "wrong": rate(sum(one not in set(wanted) for one in others), n),
    }


def _draw(asker: Asker, ask: tuple[str, int]) -> Answer:
    prompt, seed = ask
    return asker.draw(prompt, seed=seed)
