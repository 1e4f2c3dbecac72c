"""Clients that go away while their picture is drawn: how many steps are taken for nobody."""

from __future__ import annotations

import json
import random
import socket
import time
from typing import Any

from counterpoint.bench.batching import ENGAGED, HARMLESS
from counterpoint.bench.server.asking import GENERATIONS, SMALL, Asker
from counterpoint.bench.server.figure import exact, mean
from counterpoint.bench.server.running import Inside, inside, until
from counterpoint.results import Figure, rate
from counterpoint.server.config import load_settings

STEPS = 20
MOST_AFTER = 2
NOTES = f"""A client asks for a picture of {STEPS} steps and cuts its connection after a random one of them, and a
random part of a second after it. Steps are counted at the scheduler from the moment the connection is closed until
the next request is drawn, in one step; nothing is slowed down or held, and nothing is watermarked. "Left the queue" is
a request that waits behind another one when its client goes: it must not be drawn at all."""


class StepCount:
    """Counts the steps of a server's scheduler."""

    def __init__(self, scheduler: Any) -> None:
        self.steps, self._step = 0, scheduler.step
        scheduler.step = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take one step."""
        self.steps += 1
        return self._step(*args, **kwargs)


def measure(count: int, threads: int) -> dict[str, Figure]:
    """Cut `count` connections at random moments, and a tenth as many that wait."""
    rng = random.Random(0)
    with inside(load_settings(port=0, watermark=False)) as server:
        counted = StepCount(server.safe.pipe.scheduler)
        after = [steps_after_cut(server, counted, rng) for _ in range(count)]
        waiting = max(1, count // 10)
        left = sum(leaves_queue(server, counted, rng) for _ in range(waiting))
    return {
        f"stopped within {MOST_AFTER} steps": rate(sum(steps <= MOST_AFTER for steps in after), count),
        "steps after the client had gone": mean(after, "steps"),
        "steps after the client had gone, most": exact(max(after), "steps", count),
        "left the queue": rate(left, waiting),
    }


def steps_after_cut(server: Inside, counted: StepCount, rng: random.Random) -> int:
    """Cut one connection; return how many steps its picture took after that."""
    seen, before = rng.randrange(STEPS), counted.steps
    connection = connect(server.port, rng)
    until(lambda: counted.steps - before >= seen, every=0.0005)
    time.sleep(rng.random() * 0.05)
    connection.close()
    at_cut = counted.steps
    return _draw_one_step(server, counted) - at_cut


def leaves_queue(server: Inside, counted: StepCount, rng: random.Random) -> bool:
    """Cut a connection that waits behind another one; return whether its picture was never begun."""
    before, queue = counted.steps, next(iter(server.service.workers.values())).queue
    first = connect(server.port, rng)
    until(lambda: counted.steps > before)
    second = connect(server.port, rng)
    until(lambda: len(queue) == 1 or counted.steps - before >= STEPS)
    second.close()
    first.recv(1)  # its answer has begun: it is drawn
    first.close()
    return _draw_one_step(server, counted) - before == STEPS


def connect(port: int, rng: random.Random) -> socket.socket:
    """Send a request, and return its connection."""
    body = json.dumps({"prompt": rng.choice(HARMLESS + ENGAGED), **SMALL, "num_inference_steps": STEPS})
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(
        f"POST {GENERATIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return connection


def _draw_one_step(server: Inside, counted: StepCount) -> int:
    """Draw a picture of one step, behind whatever is drawn; return the steps before it.

    Raises:
        RuntimeError: It was not drawn.
    """
    answer = Asker(server.port).draw(HARMLESS[0], num_inference_steps=1)
    if answer.status != 200:
        raise RuntimeError(f"the next request was answered {answer.status}")
    return counted.steps - 1
