"""Counts for Prometheus. No label holds what a caller typed."""

from __future__ import annotations

import re
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """The server's counters, in a registry of their own.

    Args:
        replica: Name of this server among several behind one address, a label of each line; "" = it is alone.
    """

    def __init__(self, replica: str = "") -> None:
        self._replica = replica
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "counterpoint_requests", "Requests answered.", ["route", "status"], registry=registry
        )  # fmt: skip
        self.request_seconds = Histogram(
            "counterpoint_request_seconds", "From the first byte to the last.", ["route"], buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.pictures = Counter(
            "counterpoint_pictures", "Pictures drawn, by what happened to them.", ["model", "action"], registry=registry
        )
        self.refusals = Counter("counterpoint_refusals", "Requests refused.", ["stage"], registry=registry)
        self.failures = Counter(
            "counterpoint_failures",
            "Gates, checks, draws and marks that failed; nothing was returned.",
            ["model", "code"],
            registry=registry,
        )
        self.stream_errors = Counter(
            "counterpoint_stream_errors", "Answers in parts, of status 200, that ended in an error.", ["code"],
            registry=registry,
        )  # fmt: skip
        self.batch_pictures = Histogram(
            "counterpoint_batch_pictures", "Pictures drawn in one call.", ["model"], buckets=(1, 2, 4, 8, 16),
            registry=registry,
        )  # fmt: skip
        self.step_seconds = Histogram(
            "counterpoint_step_seconds", "One denoising step of one call.", ["model"], buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.safety_weight = Histogram(
            "counterpoint_safety_weight", "Largest weight applied to a steered picture.", ["model"],
            buckets=(0.1, 0.25, 0.5, 0.75, 1.0), registry=registry,
        )  # fmt: skip
        self._queue = Gauge("counterpoint_queue_pictures", "Pictures that wait.", ["model"], registry=registry)

    def watch_queue(self, model: str, count: Callable[[], float]) -> None:
        """Have the length of a queue read when it is asked for."""
        self._queue.labels(model=model).set_function(count)

    def page(self) -> bytes:
        """Return the page that Prometheus reads."""
        page = generate_latest(self.registry)
        return page if not self._replica else _labelled(page.decode(), f'replica="{self._replica}"').encode()


def _labelled(page: str, label: str) -> str:
    """Return the page with one more label in each line, so that replicas are told apart."""
    return re.sub(
        r"^([a-z_]+)(?:\{(.*)\})? (\S+)$",
        lambda line: f"{line[1]}{{{','.join(filter(None, (line[2], label)))}}} {line[3]}",
        page,
        flags=re.MULTILINE,
    )
