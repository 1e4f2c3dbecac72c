"""Pictures that wait to be drawn: bounded, and handed out together where they can be drawn together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Event
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

    from counterpoint.interfaces import OnUnsafe, SafetyReport

Task = Literal["generate", "edit", "inpaint"]
"""From a text; from a text and a picture; from those and a mask of what changes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What pictures of one pipeline call have in common; equal settings can be drawn together."""

    steps: int
    guidance_scale: float | None
    """None = the pipeline's default."""
    size: tuple[int, int] | None
    """Width and height in pixels; None = the model's own."""
    safety: float
    """The dial, 0..1."""
    safe_prompt: str | None
    on_unsafe: OnUnsafe
    has_negative_prompt: bool
    alone: bool = False
    """Whether each picture is drawn in a call of its own."""
    task: Task = "generate"
    strength: float | None = None
    """How far an edit may go from its picture, above 0 and up to 1; None = no edit."""


@dataclass(eq=False, kw_only=True)
class Order:
    """One picture to draw."""

    prompt: str
    negative_prompt: str | None
    seed: int
    settings: Settings
    abandoned: Event
    """Set when nobody waits for it any more; the pictures of one request share it."""
    image: Image | None = None
    """What an edit begins with, RGB, of the size to draw."""
    mask: Image | None = None
    """White where the picture is to change; None = everywhere."""
    partial_images: int = 0
    """Most pictures of the drawing under way."""
    on_partial: Callable[[int, Image], None] | None = None
    """Called with number and picture, in the worker's thread; None where nobody asks for any."""
    result: Future[tuple[Image, SafetyReport]] = field(default_factory=Future)


class QueueFull(Exception):
    """There is no room for these pictures."""


class QueueClosed(Exception):
    """The server is stopping."""


class PictureQueue:
    """First come, first drawn; safe between threads.

    Args:
        max_pictures: Most pictures that wait; those that are being drawn do not count.
    """

    def __init__(self, max_pictures: int) -> None:
        self.max_pictures = max_pictures
        self._waiting: deque[Order] = deque()
        self._changed = Condition()
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return self._count()

    def put(self, orders: Sequence[Order]) -> None:
        """Take all of these pictures, or none.

        Raises:
            QueueFull: There is no room for all of them.
            QueueClosed: `close` was called.
        """
        with self._changed:
            if self._closed:
                raise QueueClosed
            if self._count() + len(orders) > self.max_pictures:
                raise QueueFull
            self._waiting.extend(orders)
            self._changed.notify_all()

    def take(self, max_batch: int, *, wait: float, timeout: float) -> list[Order] | None:
        """Return the next picture, with others of the same settings.

        Args:
            max_batch: Most pictures.
            wait: Seconds to wait for company while there are fewer.
            timeout: Seconds to wait for the first one.

        Returns:
            Pictures; an empty list where none came in time; None where none will come any more.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._count() or self._closed, timeout):
                return []
            if not self._count():
                return None
            batch = self._pick(max_batch, self._waiting[0].settings)
            max_batch = 1 if batch[0].settings.alone else max_batch
            until = time.monotonic() + wait
            while len(batch) < max_batch and (left := until - time.monotonic()) > 0.0 and not self._closed:
                self._changed.wait(left)
                batch += self._pick(max_batch - len(batch), batch[0].settings)
            return batch

    def close(self) -> None:
        """Take no more; what waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self, fail: Callable[[Order], None]) -> None:
        """Take everything out, and say so of each."""
        with self._changed:
            orders, self._waiting = list(self._waiting), deque()
        for order in orders:
            fail(order)

    def _count(self) -> int:
        """Number of pictures that somebody still waits for; the others are dropped."""
        if any(order.abandoned.is_set() for order in self._waiting):
            self._waiting = deque(order for order in self._waiting if not order.abandoned.is_set())
        return len(self._waiting)

    def _pick(self, most: int, settings: Settings) -> list[Order]:
        self._count()
        most = 1 if settings.alone else most
        picked = [order for order in self._waiting if order.settings == settings][:most]
        self._waiting = deque(order for order in self._waiting if order not in picked)
        return picked
