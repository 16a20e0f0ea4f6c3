"""Receipts on their queue: those of calls that run at once travel in one message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from shared.apps.sending import Send
from shared.concurrency.batches import Batch, Batches
from shared.message.bus_message import receipts_message
from shared.message.receipt import Receipt
from shared.message.receipt_lines import LinesInOne
from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.metrics import BATCH_SIZE

# A bus message for each receipt is half of what a delivery costs. A call that waits has delivered
# its message already, so that this delays no partner; it only takes one of the host's calls.
LONGEST_WAIT = 0.075  # seconds for which a receipt waits for those of other calls
# A message of so many adds a fifth of a bus operation to each delivery. More would save next to
# nothing, while the calls that wait for it post nothing.
ENOUGH = 16

_Line = tuple[str, TraceContext | None]


class ReceiptPublisher:
    """Sends receipts; `send` is that of their queue.

    A receipt waits until those of half of the calls in flight are there, or `ENOUGH`, and not for
    longer than `LONGEST_WAIT`. So one of a call alone does not wait at all.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._calls = 0
        self._changed = asyncio.Event()
        self._sends: Batches[_Line, None] = Batches(self._send_next)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call in flight, whose receipt others may wait for."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._changed.set()

    async def publish(self, receipt: Receipt, trace: TraceContext | None = None) -> None:
        """Return when the queue has accepted a message with the receipt. Raises `BusError`.

        `trace` is that of the message that it is of, unless a span is under way.
        """
        self._changed.set()
        await self._sends.run((receipt.to_json(), recording.current(trace)))

    async def _send_next(self, batch: Batch[_Line, None]) -> Sequence[None]:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                while len(batch) < min(self._calls / 2, ENOUGH):
                    self._changed.clear()
                    await self._changed.wait()
        lines = LinesInOne()
        taken = batch.take(lambda line: lines.fits(line[0]))
        if taken:
            recording.measure(BATCH_SIZE, len(taken), {"relay.batch": "receipts-sent"})
            traces = list(dict.fromkeys(trace for _, trace in taken if trace))
            first = traces[0] if traces else None
            # One message of several traces: it belongs to one, and links to the others.
            with recording.attached(first, traces[1:]):
                await self._send(receipts_message([text for text, _ in taken], first))
        return [None] * len(taken)
