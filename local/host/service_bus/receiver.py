"""A link that receives from a queue: its credit, its messages, and their settlement.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.6, and part 3 (Messaging), 3.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        self._pending: dict[int, asyncio.Future[BusLinkError | None]] = {}
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
        answers: list[asyncio.Future[BusLinkError | None]] = []
        for message in messages:
            answer: asyncio.Future[BusLinkError | None] = asyncio.Future()
            self._pending[message.delivery_id] = answer
            answers.append(answer)
        self._settling.setdefault(outcome, []).extend(one.delivery_id for one in messages)
        self._flush_soon()
        _, unanswered = await asyncio.wait(answers, timeout=_SETTLE_SECONDS)
        for answer in unanswered:
            answer.set_result(BusLinkError("amqp:timeout", "the bus does not confirm"))
        return [error for error in (answer.result() for answer in answers) if error]

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
        for answer in self._pending.values():
            if not answer.done():
                answer.set_result(error)
        self._pending.clear()

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
            answer = self._pending.pop(number)
            if not answer.done():
                answer.set_result(_refusal(disposition.state))

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
