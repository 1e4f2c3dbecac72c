"""Requests a second where compatible ones are drawn together, against one after the other."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from counterpoint.bench.server.asking import Answer, Asker
from counterpoint.bench.server.figure import exact, mean
from counterpoint.bench.server.load import requests
from counterpoint.bench.server.running import ROOM, command
from counterpoint.results import Figure, rate

CALLERS = 16
ROUNDS = 5
ASK = {"size": "auto", "num_inference_steps": 4}
MAX_BATCH = 8
NOTES = f"""The same requests one after the other and by {CALLERS} callers at once, in {ROUNDS} rounds, of which every
second one begins with the callers. Pictures of the model's own size in {ASK["num_inference_steps"]} steps; `max_batch`
is {MAX_BATCH}, `exact_seeds` is off, so that pictures with named seeds are drawn together, too, and `watermark` is off,
so that what the model drew is compared: each picture with the one of the same seed that was drawn alone."""


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Send `count` requests a round, in both ways."""
    settings = {**ROOM, "max_batch": MAX_BATCH, "exact_seeds": False, "watermark": False}
    asks = requests(count)
    alone: list[float] = []
    together: list[float] = []
    levels: list[int] = []
    with command(threads=threads, **settings) as server:
        asker = server.asker
        for number in range(ROUNDS):
            both = {}
            for callers in (1, CALLERS) if number % 2 == 0 else (CALLERS, 1):
                answers, seconds = _ask(asker, asks, callers)
                (alone if callers == 1 else together).append(count / seconds)
                both[callers] = answers
            levels += differences(both[1], both[CALLERS])
        batches = asker.metric("counterpoint_batch_pictures_count")
        drawn = asker.metric("counterpoint_batch_pictures_sum")
    return {
        "requests a second, one after the other": mean(alone, "1/s"),
        f"requests a second, {CALLERS} callers": mean(together, "1/s"),
        "times as many": mean([b / a for a, b in zip(alone, together, strict=True)], "x"),
        "identical pictures": rate(levels.count(0), len(levels)),
        "largest difference": exact(max(levels), "levels of 255", len(levels)),
        f"pictures of one call, {CALLERS} callers": exact(
            (drawn - ROUNDS * count) / (batches - ROUNDS * count), "pictures", ROUNDS * count
        ),
    }


def differences(first: Sequence[Answer], second: Sequence[Answer]) -> list[int]:
    """Return the largest difference of each pair of pictures, 0..255.

    Raises:
        ValueError: An answer has no picture.
    """
    if any(answer.sha256 is None for answer in (*first, *second)):
        raise ValueError("an answer without a picture: there is nothing to compare")
    return [
        int(np.abs(_pixels(one.files[0]) - _pixels(other.files[0])).max())
        for one, other in zip(first, second, strict=True)
    ]


def _ask(asker: Asker, asks: Sequence[tuple[str, int]], callers: int) -> tuple[list[Answer], float]:
    with ThreadPoolExecutor(callers) as pool:
        started = time.perf_counter()
        answers = list(pool.map(lambda ask: asker.draw(ask[0], seed=ask[1], **ASK), asks))
        return answers, time.perf_counter() - started


def _pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)), dtype=int)
