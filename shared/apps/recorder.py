"""Receipts into the ledger: a whole batch, whatever is in it, even while the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import azure.functions as func
from azure.servicebus import ServiceBusMessage

from shared.apps.holds import hold_delay
from shared.concurrency.holding import held, pausing
from shared.ledger.errors import LedgerError, LedgerUnavailableError
from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.receipt import Receipt
from shared.message.receipt_lines import read_lines
from shared.message.unrecorded import MAX_HELD_BYTES, held_receipt, holds_of, rejected_receipt
from shared.standards.trace_context import TraceContext
from shared.telemetry.outages import Outages

LEDGER = "the ledger"
# Beside the time that receipts wait for the database: to set aside what cannot be recorded, and
# to pause where even that fails.
SET_ASIDE_SECONDS = 15.0
PAUSE_SECONDS = 20.0
# Before a receipt of a newer format comes again, at first; an upgrade takes minutes.
NEWER_SECONDS = 30.0
# An unexpected error need not be the receipt's fault: it is tried again.
_MAX_DELIVERIES = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Item:
    """A receipt as it was on the queue, and how often its message was delivered.

    Of a batch, body, number of deliveries and application properties can be relied on: of other
    texts the host leaves out those that are empty, so that those of the following messages move up.
    """

    body: bytes = field(repr=False)
    deliveries: int
    receipt: Receipt
    trace: TraceContext | None = None


@dataclass(frozen=True)
class _Unrecordable:
    """What cannot be recorded, and why; `error` where it is unexpected.

    `delay`, in seconds, is set where it can be later: then it goes back to its queue until then.
    """

    body: bytes = field(repr=False)
    reason: str
    detail: str
    error: Exception | None = None
    delay: float | None = None
    trace: TraceContext | None = None


class Recorder:
    """Records batches.

    `record` writes all receipts or none, `set_aside` sends to the queue of rejected messages,
    `send_back` to that of receipts. Receipts of newer formats than `accepted` go there, unread.
    """

    def __init__(
        self,
        record: Callable[[Sequence[Receipt]], Awaitable[None]],
        set_aside: Callable[[ServiceBusMessage], Awaitable[None]],
        send_back: Callable[[ServiceBusMessage], Awaitable[None]],
        wait_seconds: float,
        outages: Outages,
        accepted: Formats = KNOWN_FORMATS,
    ) -> None:
        self._record = record
        self._set_aside = set_aside
        self._send_back = send_back
        self._accepted = accepted
        self._wait_seconds = wait_seconds
        self._outages = outages

    async def record(self, messages: Sequence[func.ServiceBusMessage]) -> None:
        """Return when each is in the ledger, waits for a newer version, or is an operator's.

        What it raises leaves all of them on the queue, and it does so only after a pause. The lock
        of a batch is not renewed: all of it has to fit into the queue's lockDuration.
        """
        items, unrecordable = _sorted(messages, datetime.now(UTC), self._accepted)
        recorded = len(items)
        if items:
            unwritten = await held(
                lambda: self._write(items), self._wait_seconds, LedgerUnavailableError
            )
            recorded -= len(unwritten)
            unrecordable += unwritten
        deliveries = max((message.delivery_count or 1 for message in messages), default=1)
        async with pausing(deliveries, SET_ASIDE_SECONDS, PAUSE_SECONDS):
            # Before any is set aside: the whole batch comes again, and would set it aside twice.
            for error in (one.error for one in unrecordable if one.error):
                raise error
            # At once: as many as a batch can have, one after the other, would outlast its lock.
            putting = (self._put_away(one) for one in unrecordable)
            for outcome in await asyncio.gather(*putting, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        _log.info("recorded %d receipts", recorded)

    async def _put_away(self, one: _Unrecordable) -> None:
        if one.delay is None:
            await self._set_aside(rejected_receipt(one.body, one.reason, one.detail, one.trace))
        else:
            due = datetime.now(UTC) + timedelta(seconds=one.delay)
            await self._send_back(held_receipt(one.body, due, one.trace))

    async def _write(self, items: Sequence[_Item]) -> list[_Unrecordable]:
        """Write receipts; return those that the ledger cannot hold, found by halving.

        Raises `LedgerUnavailableError`, after which any of them may have been written.
        """
        try:
            with self._outages.watching(LEDGER, LedgerUnavailableError):
                await self._record([item.receipt for item in items])
        except LedgerUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - one receipt must not fail the others
            if len(items) == 1:
                return [_not_recorded(items[0], error)]
            half = len(items) // 2
            return [*await self._write(items[:half]), *await self._write(items[half:])]
        return []


def _sorted(
    messages: Sequence[func.ServiceBusMessage], now: datetime, accepted: Formats
) -> tuple[list[_Item], list[_Unrecordable]]:
    items: list[_Item] = []
    unrecordable: list[_Unrecordable] = []
    for message in messages:
        trace = TraceContext.from_properties(message.application_properties or {})
        for line in read_lines(message.get_body(), accepted):
            match line.receipt:
                case Receipt():
                    receipt = line.receipt.until(now)
                    items.append(_Item(line.body, message.delivery_count or 1, receipt, trace))
                case NewerFormatError():
                    unrecordable.append(_newer(line.body, line.receipt, trace))
                case ValueError():
                    _log.error("rejected what is not a receipt: %s", line.receipt)
                    detail = str(line.receipt)
                    one = _Unrecordable(line.body, "not-a-receipt", detail, trace=trace)
                    unrecordable.append(one)
    return items, unrecordable


def _newer(body: bytes, error: NewerFormatError, trace: TraceContext | None) -> _Unrecordable:
    holds = holds_of(body)
    delay = hold_delay(holds, NEWER_SECONDS) if len(body) <= MAX_HELD_BYTES else None
    if delay is None:
        _log.error("rejected a receipt: %s; held %d times", error, holds)
        detail = f"{error}; held {holds} times"
        return _Unrecordable(body, "newer-format", detail, trace=trace)
    _log.info("a receipt waits for %.0f s: %s", delay, error)
    return _Unrecordable(body, "newer-format", str(error), delay=delay, trace=trace)


def _not_recorded(item: _Item, error: Exception) -> _Unrecordable:
    expected = isinstance(error, LedgerError)
    detail = str(error) if expected else f"it cannot be recorded ({type(error).__name__})"
    _log.error("a receipt of %s is not recorded: %s", item.receipt.message_id, detail)
    again = None if expected or item.deliveries >= _MAX_DELIVERIES else error
    return _Unrecordable(item.body, "receipt-not-recorded", detail, again, trace=item.trace)
