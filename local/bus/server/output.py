"""What is sent on one connection: collected, made durable, and written in one piece."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from local.bus.amqp import frames
from local.bus.broker.journal import JournalError

FLUSH_BYTES = 65536
GOODBYE_SECONDS = 5.0

logger = logging.getLogger("local.bus")


class Output:
    """Collects the frames of one turn of the event loop for a transport.

    `commit` makes durable what happened so far; `sent` is called after each write.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        commit: Callable[[], None],
        sent: Callable[[], None],
    ) -> None:
        self.is_closed = False
        self._transport = transport
        self._loop = loop
        self._commit = commit
        self._sent = sent
        self._pending = bytearray()
        self._flushing: asyncio.Handle | None = None
        self._breaks_off = False

    def __len__(self) -> int:
        return len(self._pending)

    def write(self, data: bytes) -> None:
        """Send headers or frames, with all others of this turn of the loop."""
        if self.is_closed:
            return
        self._pending += data
        if len(self._pending) > FLUSH_BYTES:
            self._flush()
        elif self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Send what was written so far, and close the transport."""
        self._flush()
        self.is_closed = True
        self._transport.close()
        # A peer that reads no more would keep the goodbye, and the socket, for ever.
        self._loop.call_later(GOODBYE_SECONDS, self._transport.abort)

    def drop(self) -> None:
        """Break the connection without a word, as a failing network does."""
        self.is_closed = True
        self._transport.abort()

    def drop_mid_frame(self) -> None:
        """Break the connection in the middle of the last frame of what is sent next."""
        self._breaks_off = True

    def keep(self) -> None:
        """Take `drop_mid_frame` back: nothing was sent since."""
        self._breaks_off = False

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._pending and not self._transport.is_closing():
            self._emit(bytes(self._pending))
        self._pending.clear()

    def _emit(self, data: bytes) -> None:
        # Nothing leaves, least of all an acknowledgement, before what it speaks of is durable.
        try:
            self._commit()
        except JournalError as error:
            logger.error("connection broken: %s", error)  # noqa: TRY400 - no trace is needed
            self.drop()
            return
        self._transport.write(frames.break_off(data) if self._breaks_off else data)
        self._sent()
        if self._breaks_off:
            self.drop()
