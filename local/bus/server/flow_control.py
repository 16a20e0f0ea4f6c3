"""The windows of a session: how many transfers each side may send the other; pure.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.5.6.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from local.bus.amqp import performatives as amqp

WINDOW = 5000
FRAME_PREFIX = 8
# The bytes of a frame's prefix and of a transfer without its tag, at most: all fields in their
# longest form. What surely fits need not be measured.
MAX_TRANSFER = 64
SERIAL_NUMBERS = 2**32  # transfer, delivery and link numbers count modulo this (RFC 1982)


class SessionWindow:
    """The transfer numbers and windows of one session, and the transfers that wait for a window."""

    def __init__(self, begin: amqp.Begin) -> None:
        self._next_incoming_id = begin.next_outgoing_id
        self._incoming_window = WINDOW
        self._next_outgoing_id = 1
        self._outgoing_window = begin.incoming_window
        self._waiting: deque[tuple[amqp.Transfer, bytes]] = deque()

    @property
    def is_open(self) -> bool:
        """Return whether a transfer that is queued now would leave at once."""
        return self._outgoing_window > 0 and not self._waiting

    def begin(self, channel: int, handle_max: int) -> amqp.Begin:
        """Return the begin frame that answers the client's."""
        return amqp.Begin(
            remote_channel=channel,
            next_outgoing_id=self._next_outgoing_id,
            incoming_window=WINDOW,
            outgoing_window=WINDOW,
            handle_max=handle_max,
        )

    def flow(self) -> amqp.Flow:
        """Open the incoming window again, and return the flow frame that says so."""
        self._incoming_window = WINDOW
        return amqp.Flow(
            next_incoming_id=self._next_incoming_id,
            incoming_window=WINDOW,
            next_outgoing_id=self._next_outgoing_id,
            outgoing_window=WINDOW,
        )

    def count_incoming(self) -> bool:
        """Count a transfer of the client's; return whether it is time for a flow frame."""
        self._next_incoming_id = (self._next_incoming_id + 1) % SERIAL_NUMBERS
        self._incoming_window -= 1
        return self._incoming_window < WINDOW // 2

    def on_flow(self, flow: amqp.Flow) -> None:
        """Take the client's window, less what it had not seen when it sent this."""
        seen = 1 if flow.next_incoming_id is None else flow.next_incoming_id
        sent = (self._next_outgoing_id - seen) % SERIAL_NUMBERS
        in_flight = sent if sent < SERIAL_NUMBERS // 2 else 0
        self._outgoing_window = flow.incoming_window - in_flight

    def queue(self, transfer: amqp.Transfer, payload: bytes, max_frame: int) -> None:
        """Cut a message into transfers of at most `max_frame` bytes, to be sent in their turn."""
        if len(payload) + MAX_TRANSFER + len(transfer.delivery_tag or b"") <= max_frame:
            self._waiting.append((transfer, payload))
            return
        overhead = FRAME_PREFIX + len(amqp.write(replace(transfer, more=True)))
        room = max_frame - overhead
        for start in range(0, len(payload), room):
            part = replace(transfer, more=start + room < len(payload))
            self._waiting.append((part, payload[start : start + room]))

    def sendable(self) -> Iterator[tuple[amqp.Transfer, bytes]]:
        """Take out the transfers that the window lets go now, and count them."""
        while self._waiting and self._outgoing_window > 0:
            self._outgoing_window -= 1
            self._next_outgoing_id = (self._next_outgoing_id + 1) % SERIAL_NUMBERS
            yield self._waiting.popleft()
