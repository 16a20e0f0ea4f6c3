"""A link that receives from a queue: its credit, its messages, and their settlement.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.6, and part 3 (Messaging), 3.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import uuid4

from local.bus.amqp import performatives as amqp
from local.bus.amqp.values import Described, ULong, Value
from local.host.service_bus.connection import BusConnection, BusLinkError
from local.host.service_bus.received import ReceivedMessage, read_delivery

_SOURCE, _TARGET, _REJECTED = 0x28, 0x29, 0x25
_ATTACH_SECONDS = 20.0
_SETTLE_SECONDS = 60.0
_UNSETTLED = 0  # sender settle mode


class Settlement(Enum):
    """What becomes of a message, by the descriptor and the fields of its outcome."""

    COMPLETE = (0x24, ())
    ABANDON = (0x27, (True, False))  # the delivery counts
    RELEASE = (0x26, ())  # it does not

    @property
    def state(self) -> Described:
        """The outcome, encoded."""
        descriptor, fields = self.value
        return Described(ULong(descriptor), [*fields])


@dataclass(frozen=True, slots=True)
class _Unconfirmed:
    """A settlement until the bus confirms it, or `until` by the loop's clock."""

    answer: asyncio.Future[BusLinkError | None]
    until: float

    def answered(self, error: BusLinkError | None) -> None:
        if not self.answer.done():  # whoever waited may be cancelled
            self.answer.set_result(error)


class QueueReceiver:
    """Hands each message to `on_message` as it arrives: no more of them than `allow` said.

    `lost` is set when the link or its connection has ended; `error` says why.
    """

    def __init__(
        self,
        connection: BusConnection,
        queue: str,
        on_message: Callable[[ReceivedMessage], None],
    ) -> None:
        self.lost = asyncio.Event()
        self.error: BusLinkError | None = None
        self._connection = connection
        self._on_message = on_message
        self._credit = 0
        self._allowed = 0
        self._delivery_count = 0
        self._first: amqp.Transfer | None = None
        self._parts = bytearray()
        self._settling: dict[Settlement, list[int]] = {}
        self._is_flushing = False
        self._pending: dict[int, _Unconfirmed] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None
        self._attached: asyncio.Future[None] = asyncio.Future()
        self._handle = connection.add_link(self)
        connection.on_disposition(self._on_disposition)
        connection.send(
            amqp.Attach(
                f"local.host-{uuid4()}",
                self._handle,
                amqp.RECEIVER,
                _UNSETTLED,
                source=Described(ULong(_SOURCE), [queue]),
                target=Described(ULong(_TARGET), [queue]),
            )
        )

    async def attached(self) -> None:
        """Return when the bus has attached the link. Raises BusLinkError and TimeoutError."""
        async with asyncio.timeout(_ATTACH_SECONDS):
            await self._attached

    def allow(self, messages: int) -> None:
        """Say how many more messages may come; it reaches the bus with all else of this turn."""
        self._allowed = messages
        self._flush_soon()

    async def settle(
        self, messages: Sequence[ReceivedMessage], outcome: Settlement
    ) -> Sequence[BusLinkError]:
        """Settle messages; return why some are not, when the bus has answered for all.

        Those of one turn of the loop go together, in a frame for each run of numbers.
        """
        if self.error or not messages:
            return [self.error] * len(messages) if self.error else []
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLE_SECONDS
        answers: list[asyncio.Future[BusLinkError | None]] = []
        for message in messages:
            answer: asyncio.Future[BusLinkError | None] = loop.create_future()
            self._pending[message.delivery_id] = _Unconfirmed(answer, until)
            answers.append(answer)
        # One timer for all: `asyncio.wait` would make one for each message.
        if self._timer is None:
            self._timer = loop.call_at(until, self._on_late)
        self._settling.setdefault(outcome, []).extend(one.delivery_id for one in messages)
        self._flush_soon()
        return [error for error in [await answer for answer in answers] if error]

    def on_frame(self, performative: amqp.Performative, payload: bytes) -> None:
        """Take the bus's attach, and parts of messages."""
        if isinstance(performative, amqp.Attach):
            self._delivery_count = performative.initial_delivery_count or 0
            # Without a source it is a refusal, whose reason follows in a detach.
            if performative.source is not None and not self._attached.done():
                self._attached.set_result(None)
                self._flush_soon()
        elif isinstance(performative, amqp.Transfer):
            self._on_transfer(performative, payload)

    def on_lost(self, error: BusLinkError) -> None:
        """Let all that wait for the bus know."""
        self.error = error
        self.lost.set()
        if not self._attached.done():
            self._attached.set_exception(error)
            self._attached.exception()  # whoever waits gets it; where nobody does, it is in `error`
        for unconfirmed in self._pending.values():
            unconfirmed.answered(error)
        self._pending.clear()
        if self._timer:
            self._timer.cancel()

    def _on_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        self._first = self._first or transfer
        self._parts += payload
        if transfer.more:
            return
        first, data = self._first, bytes(self._parts)
        self._first = None
        self._parts.clear()
        self._credit = max(0, self._credit - 1)
        self._delivery_count = (self._delivery_count + 1) % 2**32
        if transfer.aborted or first.delivery_id is None:
            return
        self._on_message(read_delivery(first.delivery_id, first.delivery_tag or b"", data))

    def _on_disposition(self, disposition: amqp.Disposition) -> None:
        if disposition.role is not amqp.SENDER or not disposition.settled:
            return
        last = disposition.first if disposition.last is None else disposition.last
        for number in [one for one in self._pending if disposition.first <= one <= last]:
            self._pending.pop(number).answered(_refusal(disposition.state))

    def _on_late(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._pending:
            number, unconfirmed = next(iter(self._pending.items()))
            if unconfirmed.until > loop.time():
                self._timer = loop.call_at(unconfirmed.until, self._on_late)
                return
            del self._pending[number]
            unconfirmed.answered(BusLinkError("amqp:timeout", "the bus does not confirm"))

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        if self.error:
            return
        for outcome, numbers in self._settling.items():
            for first, last in runs(numbers):
                state = outcome.state
                self._connection.send(
                    amqp.Disposition(amqp.RECEIVER, first, last, settled=False, state=state)
                )
        self._settling.clear()
        if self._attached.done() and self._allowed != self._credit:
            self._credit = self._allowed
            self._connection.flow(self._handle, self._delivery_count, self._credit)


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Give the first and the last of each run of successive numbers."""
    ordered = sorted(numbers)
    start = 0
    for at in range(1, len(ordered) + 1):
        if at == len(ordered) or ordered[at] != ordered[at - 1] + 1:
            yield ordered[start], ordered[at - 1]
            start = at


def _refusal(state: Value) -> BusLinkError | None:
    """Read the error of an outcome; a settlement that is confirmed has none."""
    if not isinstance(state, Described) or state.descriptor != _REJECTED:
        return None
    fields = state.value
    error = fields[0] if isinstance(fields, list) and fields else None
    return BusLinkError.of(error, "amqp:internal-error")
