"""SIGTERM while requests are under way: each one that was accepted is answered, and the command ends with 0."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from counterpoint.bench.batching import ENGAGED, HARMLESS
from counterpoint.bench.server.asking import Answer
from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.running import ROOM, STOP_SECONDS, command, until
from counterpoint.results import Figure, rate

IN_FLIGHT = 20
NOTES = f"""`counterpoint serve` is started anew for each trial. {IN_FLIGHT} requests are sent at once; when the server
counts all of them as drawn, waiting or being drawn, it gets SIGTERM after a random part of a second. Lost: no answer
with a picture. `drain_seconds` is {STOP_SECONDS:g}."""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Stop the server `count` times."""
    rng = random.Random(0)
    answers: list[Answer] = []
    codes: list[int] = []
    left = 0
    for _ in range(count):
        got, waiting, code = trial(threads, rng)
        answers, left, codes = answers + got, left + waiting, [*codes, code]
    return {
        "lost": rate(sum(answer.sha256 is None for answer in answers), len(answers)),
        "not drawn yet when the signal came": exact(left, "requests", len(answers)),
        "ended with 0": rate(codes.count(0), count),
    }


def trial(threads: int, rng: random.Random) -> tuple[list[Answer], int, int]:
    """Stop one server; return the answers, how many were still to be drawn at the signal, and the exit code."""
    limits = {**ROOM, "drain_seconds": int(STOP_SECONDS)}
    with command(threads=threads, **limits) as server, ThreadPoolExecutor(IN_FLIGHT) as callers:
        asker, name = server.asker, "counterpoint_pictures_total"
        prompts = HARMLESS + ENGAGED
        before = asker.metric(name)
        sent = [callers.submit(asker.draw, prompts[seed % len(prompts)], seed=seed) for seed in range(IN_FLIGHT)]

        def accepted() -> bool:
            # One is in neither number while it is drawn. Read one after the other, the numbers can fall short only.
            return asker.metric("counterpoint_queue_pictures") + asker.metric(name) - before >= IN_FLIGHT - 1

        until(accepted, STOP_SECONDS)
        left = IN_FLIGHT - int(asker.metric(name) - before)
        time.sleep(rng.random() * 0.3)
        server.terminate()
        answers = [one.result() for one in sent]
        return answers, left, server.process.wait(STOP_SECONDS)
