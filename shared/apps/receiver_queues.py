"""The queues that the receiver sends to, and what each outcome of a message sends there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from azure.servicebus import ServiceBusMessage

from shared.apps.decided import Decided, DecidedOutcomes
from shared.apps.outcomes import (
    Delivered,
    Hold,
    Outcome,
    Record,
    Reject,
    Retry,
    receipt_of,
)
from shared.apps.receipt_publisher import ReceiptPublisher
from shared.apps.sending import Send
from shared.azure.queues import BusDeniedError, BusError, BusUnavailableError
from shared.concurrency.holding import held
from shared.message.bus_message import rejected, requeued
from shared.message.envelope import DataKey
from shared.message.formats import EMITTED_FORMAT
from shared.message.pending_receipt import PendingReceipt
from shared.message.received import BusMessage, ReceivedMessage
from shared.message.rejected import short_reason
from shared.message.state import State
from shared.message.waiting import Wait, WaitsFor
from shared.telemetry import recording
from shared.telemetry.logs import of_message
from shared.telemetry.metrics import MESSAGES, REJECTED
from shared.telemetry.outages import Outages

# How long a message is held under its lock while the queue that it is to go to refuses it. With the
# pause after a failure, less than the five minutes for which the host renews a lock.
HOLD_SECONDS = 150.0
_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ReceiverQueues:
    """Carries outcomes out. Raises `BusError`, after which the message has to come again.

    A queue that refuses a message, because it is full, disabled, throttled or the right is missing,
    is tried again for `hold_seconds`: that is not the message's fault, and left at once it would
    come back at once. What was decided is kept meanwhile, and only what is left of it is done when
    the message comes again. A receipt that cannot be sent stays pending for `pending_seconds`.
    """

    to_retries: Send
    to_rejected: Send
    to_receipts: Send
    receipts: ReceiptPublisher
    pending_seconds: float
    outages: Outages
    clock: Callable[[], datetime] = _now
    hold_seconds: float = HOLD_SECONDS
    format_emitted: int = EMITTED_FORMAT
    decided: DecidedOutcomes = field(default_factory=DecidedOutcomes)

    async def carry_out(
        self, message: ReceivedMessage, outcome: Outcome, key: DataKey | None
    ) -> None:
        """Send what an outcome calls for. `key` has opened the message; None if nothing did.

        The message itself goes first and its receipt last: a crash in between can repeat a
        message, not lose it.
        """
        match outcome:
            case Record():
                await self._publish(message, outcome.pending)
            case Reject() if key is None:
                await self._reject_unopened(message, outcome)
            case Delivered():
                recording.count(MESSAGES, 1, {"relay.state": State.DELIVERED.value})
                about = of_message(message.id.id, outcome.attempts, message.trace)
                _log.info("delivered %s: %d bytes", message.id.id, outcome.size, extra=about)
                await self._record(message, outcome, key)
            case Retry():
                self._keep(message, outcome, key)
                later = replace(message, schedule_used=outcome.schedule_used)
                await self._requeue(
                    later, outcome.delay, outcome.attempts, WaitsFor.ATTEMPT, outcome.detail
                )
                recording.count(MESSAGES, 1, {"relay.state": State.RETRYING.value})
                about = of_message(message.id.id, outcome.attempts, message.trace)
                shown = (message.id.id, outcome.delay, outcome.detail)
                _log.info("retry %s in %.0f s: %s", *shown, extra=about)
                await self._record(message, outcome, key)
            case Hold():
                await self._hold(message, outcome)
                if outcome.is_recorded:
                    await self._record(message, outcome, key)
            case Reject():
                self._keep(message, outcome, key)
                await self.set_aside(message, outcome)
                if outcome.is_recorded:
                    await self._record(message, outcome, key)
        self.decided.remove(message)

    def _keep(
        self, message: ReceivedMessage, outcome: Retry | Reject | Record, key: DataKey | None
    ) -> None:
        self.decided.keep(message, Decided(outcome, key, self.clock()))

    async def _record(
        self,
        message: ReceivedMessage,
        outcome: Delivered | Retry | Hold | Reject,
        key: DataKey | None,
    ) -> None:
        pending = self.receipt(message, outcome, key)
        # Of what the partner has, or an operator, nothing but the receipt may be repeated.
        if isinstance(outcome, Delivered | Reject):
            self._keep(message, Record(pending), key)
        await self._publish(message, pending)

    def receipt(
        self,
        message: ReceivedMessage,
        outcome: Delivered | Retry | Hold | Reject,
        key: DataKey | None,
    ) -> PendingReceipt:
        """Return the receipt of an outcome of this moment, as it can wait on the message."""
        found = receipt_of(message, outcome, self.clock(), is_proven=key is not None)
        # A copy costs as much as a receipt: none where it has the format already.
        is_as_emitted = found.format == self.format_emitted
        receipt = found if is_as_emitted else replace(found, format=self.format_emitted)
        return PendingReceipt.by(key, receipt) if key else PendingReceipt(receipt)

    async def _reject_unopened(self, message: ReceivedMessage, outcome: Reject) -> None:
        """Reject a message that nothing opened: its receipt first.

        Its receipt could not wait on it: without a data key nobody could tell it from one that the
        message's sender has written.
        """
        self._keep(message, outcome, None)
        if outcome.is_recorded:
            try:
                receipt = self.receipt(message, outcome, None).receipt
                await self.receipts.publish(receipt, message.trace)
            except BusError as error:
                await self._hold(message, Hold(self.pending_seconds, f"no receipt yet: {error}"))
                return
            self._keep(message, replace(outcome, is_recorded=False), None)
        await self.set_aside(message, outcome)

    async def _hold(self, message: ReceivedMessage, outcome: Hold) -> None:
        await self._requeue(
            message, outcome.delay, message.attempts, WaitsFor.SERVICE, outcome.detail
        )
        level = self.outages.level if outcome.is_recorded else logging.DEBUG
        about = of_message(message.id.id, message.attempts, message.trace)
        shown = (message.id.id, outcome.delay, outcome.detail)
        _log.log(level, "waits %s for %.0f s: %s", *shown, extra=about)

    async def set_aside(self, message: BusMessage, outcome: Reject) -> None:
        """Send a message to the rejected queue, and no receipt."""
        letter = rejected(
            *(message, outcome.reason, outcome.detail, outcome.attempts),
            is_recorded=outcome.is_recorded,
        )
        await self.until_accepted(self.to_rejected, letter)
        # The id of a message that is not this relay's may be anything, and is not text for a log.
        own = message.id.id if isinstance(message, ReceivedMessage) else message.bus_id
        shown = repr(own[:128])
        recording.count(MESSAGES, 1, {"relay.state": State.REJECTED.value})
        recording.count(REJECTED, 1, {"relay.reason": short_reason(outcome.reason)})
        about = of_message(shown, outcome.attempts, message.trace)
        _log.warning("rejected %s: %s: %s", shown, outcome.reason, outcome.detail, extra=about)

    async def _requeue(
        self,
        message: ReceivedMessage,
        delay: float,
        attempts: int,
        waits_for: WaitsFor,
        detail: str,
    ) -> None:
        due = self.clock() + timedelta(seconds=delay)
        wait = Wait(waits_for, detail, message.accepted_at)
        await self.until_accepted(self.to_retries, requeued(message, due, attempts, wait))

    async def until_accepted(self, send: Send, message: ServiceBusMessage) -> None:
        """Send a message; while its queue refuses it, try again for `hold_seconds`."""
        refused = (BusUnavailableError, BusDeniedError)
        await held(partial(send, message), self.hold_seconds, refused)

    async def _publish(self, message: ReceivedMessage, pending: PendingReceipt) -> None:
        """Send a receipt; that of a final outcome stays pending until it can be sent.

        The outcome itself is carried out: the partner must not get the message again, nor an
        operator, because the receipt cannot be sent.
        """
        receipt = pending.receipt
        try:
            await self.receipts.publish(receipt.until(self.clock()), message.trace)
        except BusError as error:
            _log.log(self.outages.level, "no receipt for %s yet: %s", receipt.message_id, error)
            # A retry's receipt is not kept: that of a later step says more.
            if receipt.state is not State.RETRYING:
                waiting = replace(message, pending=pending)
                await self._requeue(
                    waiting, self.pending_seconds, receipt.attempts, WaitsFor.RECEIPT, str(error)
                )
