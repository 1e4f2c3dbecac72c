"""A connection that sends no whole request head in time is closed: uvicorn itself waits for one without end.

It closes idle connections after a response only, and the first byte of a next request ends that clock.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 30.0
"""From the opening of a connection, or the end of the response before, to the last byte of the head."""


class TimedHeads(H11Protocol):
    """Uvicorn's HTTP/1.1, with that clock."""

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the clock."""
        super().connection_made(transport)
        self._start()

    def on_response_complete(self) -> None:
        """Start the clock again."""
        super().on_response_complete()
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock: it would keep the connection's memory."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._stop()
        self._clock = self.loop.call_later(HEAD_SECONDS, self._close_without_head)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()

    def _close_without_head(self) -> None:
        # Else a request is under way. One that is answered and whose body still comes is not: nobody reads that body.
        if self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE:
            self.timeout_keep_alive_handler()
