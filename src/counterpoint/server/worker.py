"""One thread that owns one pipeline: loads it, tries it, draws what waits, and says how it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from counterpoint.interfaces import ForbiddenPrompt, InvalidInput
from counterpoint.server.drawing import draw
from counterpoint.server.editing import editors
from counterpoint.server.health import Health
from counterpoint.server.logs import log_event, log_failure
from counterpoint.server.metrics import Metrics
from counterpoint.server.picture_queue import Order, PictureQueue, QueueClosed, Settings, Task

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.pipeline import SafePipeline

TRIAL_SECONDS = 5.0
TRIAL_PROMPT = "a house on a hill"

State = Literal["loading", "ready", "failing", "broken", "stopped"]


class Abandoned(Exception):
    """Nobody waits for these pictures any more: leaves the pipeline between two steps."""


class Worker:
    """Draws the pictures of one model.

    Args:
        model: The model's name, for log and metrics.
        load: Returns the pipeline; called once, in the worker's thread.
        max_queue: Most pictures that wait.
        max_batch: Most pictures of one call.
        batch_wait: Seconds that a batch which is not full waits for company.
        metrics: Where to count.
        health: Where failures are counted and work is timed, of other stages, too.
        try_rest: Takes the trial's prompt and picture through what else an answer passes; raises what fails.
    """

    def __init__(
        self,
        model: str,
        load: Callable[[], SafePipeline],
        *,
        max_queue: int,
        max_batch: int,
        batch_wait: float,
        metrics: Metrics,
        health: Health,
        try_rest: Callable[[str, Image], None],
    ) -> None:
        self.model, self.metrics, self.health = model, metrics, health
        self.queue = PictureQueue(max_queue)
        self.safe: SafePipeline | None = None
        self._editors: dict[Task, SafePipeline] = {}
        self.seconds_per_picture = 1.0
        """Smoothed; for `Retry-After`."""
        self._load, self._max_batch, self._batch_wait = load, max_batch, batch_wait
        self._try_rest = try_rest
        self._broken = False
        self._thread = threading.Thread(target=self._run, name=f"worker-{model}", daemon=True)
        metrics.watch_queue(model, lambda: len(self.queue))

    @property
    def state(self) -> State:
        """How the worker is; it draws in "ready" and "failing" only."""
        if self._broken:
            return "broken"
        if self._thread.ident is not None and not self._thread.is_alive():
            return "stopped"
        if self.safe is None:
            return "loading"
        return "failing" if self.health.is_failing or self.health.is_hanging else "ready"

    def guard(self, task: Task) -> SafePipeline | None:
        """Return the pipeline for a task; None where the model cannot do it, or is not loaded."""
        return self.safe if task == "generate" else self._editors.get(task)

    def start(self) -> None:
        """Load and draw in the background."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Take no more, draw what waits, and end; past `timeout` seconds what waits fails.

        A model that is still loading is not waited for: nothing can have been asked of it.
        """
        self.queue.close()
        if self.state != "loading":
            self._thread.join(timeout)
        self.queue.clear(_fail_closed)

    def retry_after(self) -> int:
        """Seconds after which there may be room again, 1..60."""
        return max(1, min(60, round(len(self.queue) * self.seconds_per_picture)))

    def _run(self) -> None:
        try:
            safe = self._load()
            self._try(safe)
            self._editors = editors(safe)
            self.safe = safe
        except Exception as error:
            self._broken = True
            setting = error.field if isinstance(error, InvalidInput) else None
            log_failure("model_failed", error, model=self.model, setting=setting)
            return
        log_event("model_ready", model=self.model)
        while (batch := self.queue.take(self._max_batch, wait=self._batch_wait, timeout=TRIAL_SECONDS)) is not None:
            batch = [order for order in batch if order.result.set_running_or_notify_cancel()]
            if batch:
                self._draw(batch)
            elif self.health.is_failing:
                self._recover()

    def _try(self, safe: SafePipeline) -> None:
        """Draw one picture in one step, and take it on: each stage of an answer runs once."""
        settings = Settings(
            steps=1, guidance_scale=None, size=None, safety=1.0, safe_prompt=None, on_unsafe="flag",
            has_negative_prompt=False,
        )  # fmt: skip
        order = Order(prompt=TRIAL_PROMPT, negative_prompt=None, seed=0, settings=settings, abandoned=threading.Event())
        ((image, _),) = draw(safe, [order], lambda: None)
        self._try_rest(TRIAL_PROMPT, image)

    def _recover(self) -> None:
        assert self.safe is not None
        try:
            self._try(self.safe)
            self.health.reset()
        except Exception as error:
            log_failure("trial_failed", error, model=self.model)

    def _draw(self, batch: Sequence[Order]) -> None:
        """Draw a batch; where that fails, each picture alone, so that none pays for another's fault."""
        safe = self.guard(batch[0].settings.task)
        assert safe is not None
        started = time.perf_counter()
        try:
            with self.health.timed():
                results = draw(safe, batch, self._step_guard(batch))
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Abandoned):
                for order in batch:
                    if not order.abandoned.is_set():
                        self._draw([order])
                return
            self._fail(batch, error)
            return
        self.health.succeeded("draw")
        seconds = (time.perf_counter() - started) / len(batch)
        self.seconds_per_picture = 0.8 * self.seconds_per_picture + 0.2 * seconds
        self.metrics.batch_pictures.labels(model=self.model).observe(len(batch))
        for order, (image, report) in zip(batch, results, strict=True):
            self.metrics.pictures.labels(model=self.model, action=report.action).inc()
            if report.weight > 0.0:
                self.metrics.safety_weight.labels(model=self.model).observe(report.weight)
            order.result.set_result((image, report))

    def _fail(self, batch: Sequence[Order], error: Exception) -> None:
        if not isinstance(error, (Abandoned, InvalidInput, ForbiddenPrompt)):
            self.health.failed("draw", error)
            log_failure("draw_failed", error, model=self.model, batch=len(batch))
        for order in batch:
            # The traceback would keep the call's tensors alive until the answer is sent.
            order.result.set_exception(error.with_traceback(None))

    def _step_guard(self, batch: Sequence[Order]) -> Callable[[], None]:
        """Return what is called after each step: it ends a call that nobody waits for."""
        last = time.perf_counter()

        def after_step() -> None:
            nonlocal last
            self.health.step()
            now = time.perf_counter()
            self.metrics.step_seconds.labels(model=self.model).observe(now - last)
            last = now
            if all(order.abandoned.is_set() for order in batch):
                raise Abandoned

        return after_step


def _fail_closed(order: Order) -> None:
    if order.result.set_running_or_notify_cancel():
        order.result.set_exception(QueueClosed())
