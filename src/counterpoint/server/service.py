"""What all routes share: the settings, one worker and one gate per model, and the counts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from counterpoint.png import PictureRecord, prompt_sha256
from counterpoint.provenance.marking import Marking
from counterpoint.provenance.watermark import SMALLEST_SIDE
from counterpoint.server import loading
from counterpoint.server.config import Settings
from counterpoint.server.errors import ApiError, unavailable
from counterpoint.server.gate_thread import GateThread, reading_twin
from counterpoint.server.health import Health
from counterpoint.server.idempotency import KeptAnswers
from counterpoint.server.metrics import Metrics
from counterpoint.server.quota import Quota
from counterpoint.server.worker import Worker

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline

Wrap = Callable[[Any, Settings], "SafePipeline"]


class Service:
    """The server without its routes.

    Args:
        settings: The operator's.
        load: Returns the diffusers pipeline of a place in `settings.models`.
        wrap: Returns the safe pipeline around it; called twice, for drawing and for reading.
        replica: Name of this server among several behind one address; "" = it is alone.
        keeps_answers: Whether answers are kept for their `Idempotency-Key`; not where a repeated request may reach
            another replica.

    Raises:
        InvalidInput: What C2PA manifests are to be signed with cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: Callable[[str], Any] = loading.load_pipe,
        wrap: Wrap = loading.wrap,
        replica: str = "",
        keeps_answers: bool = True,
    ) -> None:
        self.settings, self.metrics = settings, Metrics(replica)
        mark = settings.watermark_key.get_secret_value().encode() if settings.watermark else None
        self.marking = Marking(watermark_key=mark, credentials=settings.credentials())
        self.quota = Quota(settings.max_per_key)
        self.checks = Quota(settings.max_checks_per_key, "checks")
        self.kept = KeptAnswers(settings.idempotency_seconds, settings.idempotency_bytes) if keeps_answers else None
        key = settings.log_key
        self.log_key = secrets.token_bytes(32) if key is None else key.get_secret_value().encode()
        self.is_stopping = False
        self._gates: dict[str, GateThread] = {}
        self._load, self._wrap = load, wrap
        self.workers = {name: self._worker(name, place) for name, place in settings.models.items()}

    def start(self) -> None:
        """Load all models in the background."""
        for worker in self.workers.values():
            worker.start()

    def stop(self) -> None:
        """Draw what waits, then end; blocks up to `drain_seconds`."""
        self.is_stopping = True
        for worker in self.workers.values():
            worker.stop(self.settings.drain_seconds)
        for gate in self._gates.values():
            gate.close()

    def states(self) -> dict[str, str]:
        """Return the state of each model's worker."""
        return {name: worker.state for name, worker in self.workers.items()}

    @property
    def is_ready(self) -> bool:
        """Whether all models are loaded and draw."""
        return not self.is_stopping and set(self.states().values()) == {"ready"}

    def note_error(self, error: ApiError, log: dict[str, Any]) -> None:
        """Write into a request's log record why it has no picture, and count it where it says "blocked"."""
        log.update(error.log_fields())
        if error.details is not None:
            self.metrics.refusals.labels(stage=error.details["moderation_stage"]).inc()

    def worker(self, model: str) -> Worker:
        """Return the worker of a model that is on the list.

        Raises:
            ApiError: It is not loaded, or the server is stopping.
        """
        worker = self.workers[model]
        if self.is_stopping or worker.state not in ("ready", "failing"):
            raise unavailable("not_ready", "The model is not ready; see /readyz.", retry_after=5)
        return worker

    def gate(self, model: str | None = None) -> GateThread:
        """Return the gate of a model; None = the first one.

        Raises:
            ApiError: The model is not on the list, or not loaded.
        """
        name = next(iter(self.workers)) if model is None else model
        if name not in self.workers:
            raise ApiError(404, "model_not_found", f"model: allowed: {', '.join(self.workers)}", param="model")
        self.worker(name)
        return self._gates[name]

    def _worker(self, name: str, place: str) -> Worker:
        settings = self.settings
        health = Health(name, self.metrics, longest=settings.deadline_seconds)

        def load() -> SafePipeline:
            pipe = self._load(place)
            self._gates[name] = GateThread(self._wrap(reading_twin(pipe), settings), health)
            return self._wrap(pipe, settings)

        def try_rest(prompt: str, image: Image) -> None:
            self._gates[name].try_out(prompt, image)
            record = PictureRecord(
                prompt_sha256=prompt_sha256(prompt), seed=0, steps=1, guidance_scale=1.0, scheduler="", model=name
            )
            marking = self.marking
            marking.encode(image if marking.has_room(image) else image.resize((SMALLEST_SIDE,) * 2), record)

        return Worker(
            name,
            load,
            max_queue=settings.max_queue,
            max_batch=settings.max_batch,
            batch_wait=settings.batch_wait_ms / 1000,
            metrics=self.metrics,
            health=health,
            try_rest=try_rest,
        )
