"""Faults at every point between a request and its file: does any answer hold what the original stream draws?"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from counterpoint.bench.batching import ENGAGED
from counterpoint.bench.server.asking import Answer, Asker
from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.injection import Injection, kinds, points
from counterpoint.bench.server.running import ROOM, Inside, inside
from counterpoint.results import Figure, rate
from counterpoint.server import loading
from counterpoint.server.config import load_settings
from counterpoint.server.service import Wrap

SEEDS = (1, 2)
WAYS: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {"n": 2},
    "in parts": {"stream": True, "partial_images": 1},
}
STEPS = 3
"""With fewer, a picture at level medium is the plain one to the eye: nothing could be told apart."""
LEVELS = ("medium", "high", "max")
LAST_CALLS = {"denoiser": STEPS, "scheduler": STEPS, "mix": STEPS - 1}
"""Points that are called more than once: the fault strikes at any of so many calls."""
COMPLETED = b"image_generation.completed"
OPERATOR: dict[str, Any] = {"port": 0, "min_safety": 0.0, "on_unsafe": "flag", **ROOM}
"""Pictures that the check calls unsafe are returned, so that as many as possible could hold the canary."""
NOTES = f"""Each injection breaks one of twelve points, in one of up to four ways (raises, out of memory, NaN, gives
nothing), at one of its calls, while a request for a prompt that the gate engages on is answered: one picture, two, or
one in parts, in {STEPS} steps, at levels medium, high and max.

The canary is what the plain pipeline draws of that prompt and seed, asked for at level off before. Every picture in an
answer, partial ones included, has to be, pixel for pixel, one of those that the same request gets without a fault:
"another picture" counts the others. "Canary" counts pictures that share more than half of their pixels with the plain
one; the faultless ones are checked to share less. "Fired" are injections whose call came; after those no finished
picture may leave. The picture check looks and only flags. The server writes nothing to disk: its last point is the
file in memory."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a request gets without a fault."""

    body: dict[str, Any]
    pictures: frozenset[bytes]
    """Pixels of all its pictures."""
    canaries: list[np.ndarray]
    """What the plain pipeline draws at its seeds, (H, W, 3)."""


def measure(
    count: int,
    threads: int,
    *,
    load: Any = loading.load_pipe,
    wrap: Wrap = loading.wrap,
    picture_detectors: tuple[str, ...] = ("scenes_checker",),
) -> dict[str, Figure]:
    """Inject `count` faults.

    Raises:
        ValueError: A picture without a fault is the canary: then nothing can be told.
    """
    operator = load_settings(**OPERATOR, picture_detectors=picture_detectors)
    with inside(operator, load=load, wrap=wrap) as server:
        asker, rng = Asker(server.port), random.Random(0)
        known = [_known(asker, seed, way, level) for way in WAYS for level in LEVELS for seed in SEEDS]
        names = list(points(server))
        seen: Counter[str] = Counter()
        for number in range(count):
            seen.update(_inject(server, asker, rng, number, rng.choice(known)))
        after = rate(sum(_is_as_known(asker, one) for one in known), len(known))
    n = count
    figures = {
        "pictures of the original stream (canary)": rate(seen["canary"], n),
        "another picture than without a fault": rate(seen["another"], n),
        "fired, and a finished picture left": rate(seen["finished"], max(1, seen["fired"])),
        "fired": rate(seen["fired"], n),
        "answered neither 200 nor 503": rate(seen["other status"], n),
        "requests as before, after all faults": after,
    }
    return figures | {f"fired at: {name}": exact(seen[f"at {name}"], "faults", n) for name in names}


def _known(asker: Asker, seed: int, way: str, level: str) -> Known:
    body = {"prompt": ENGAGED[0], "seed": seed, "num_inference_steps": STEPS, **WAYS[way]}
    answer = asker.draw(**body, safety={"safety": level})
    seeds = [seed + index for index in range(body.get("n", 1))]
    plain = [asker.draw(ENGAGED[0], seed=one, num_inference_steps=STEPS, safety={"safety": "off"}) for one in seeds]
    canaries = [pixels(file) for one in plain for file in one.files]
    pictures = [pixels(file) for file in answer.files]
    if answer.status != 200 or len(canaries) != len(seeds) or len(pictures) < len(seeds):
        raise ValueError(f"without a fault: {answer.status}, {len(pictures)} pictures")
    if any(holds(picture, canary) for picture in pictures for canary in canaries):
        raise ValueError("without a fault a picture is the canary already")
    return Known(
        body={**body, "safety": {"safety": level}},
        pictures=frozenset(picture.tobytes() for picture in pictures),
        canaries=canaries,
    )


def _inject(server: Inside, asker: Asker, rng: random.Random, number: int, known: Known) -> list[str]:
    """Break one point while a request is answered; return what was seen."""
    parts = points(server)
    point = list(parts)[number % len(parts)]  # all points as often
    with Injection(parts[point], rng.choice(kinds(point)), rng.randint(1, LAST_CALLS.get(point, 1))) as injection:
        answer = asker.draw(**known.body)
    if answer.status != 200 and known.body.get("n", 1) > 1:
        asker.draw(ENGAGED[0], num_inference_steps=1)  # behind what is left of it, which the next fault would strike
    seen = judged(answer, known)
    if injection.fired:
        seen += ["fired", f"at {point}"] + (["finished"] if is_finished(answer, known.body) else [])
    return seen


def judged(answer: Answer, known: Known) -> list[str]:
    """Return what is wrong with an answer."""
    pictures = [pixels(file) for file in answer.files]
    seen = ["other status"] if answer.status not in (200, 503) else []
    if any(picture.tobytes() not in known.pictures for picture in pictures):
        seen.append("another")
    if any(holds(picture, canary) for picture in pictures for canary in known.canaries):
        seen.append("canary")
    return seen


def is_finished(answer: Answer, body: Mapping[str, Any]) -> bool:
    """Whether a finished picture is in an answer."""
    return COMPLETED in answer.body if body.get("stream") else bool(answer.files)


def pixels(file: bytes) -> np.ndarray:
    """Return a file's pixels, (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def holds(picture: np.ndarray, canary: np.ndarray) -> bool:
    """Whether more than half of the pixels are the canary's."""
    return picture.shape == canary.shape and bool(np.mean((picture == canary).all(axis=-1)) > 0.5)


def _is_as_known(asker: Asker, known: Known) -> bool:
    return {pixels(file).tobytes() for file in asker.draw(**known.body).files} == known.pictures
