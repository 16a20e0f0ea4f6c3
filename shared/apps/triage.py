"""What the bus gave up: receipts go to the ledger again, messages to an operator with a reason.

No receipt may be lost because another one in its batch could not be bound, or because the ledger
was away for longer than its queue delivers a message again; and no message may be rejected because
the queues that it was to go to next refused it for as long.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import azure.functions as func

from shared.apps.crash_markers import CrashMarkers
from shared.apps.outcomes import (
    Hold,
    Outcome,
    Policy,
    Record,
    Reject,
    after_opening,
    before_delivery,
)
from shared.apps.receiver_clients import KeyOpener
from shared.apps.receiver_queues import ReceiverQueues
from shared.azure.vault import VaultError
from shared.concurrency.holding import held
from shared.message.bus_message import returned_message
from shared.message.dead_letter import DeadLetter
from shared.message.envelope import DataKey, DecryptionError
from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.pending_receipt import NewerPendingReceipt
from shared.message.receipt_lines import read_lines
from shared.message.received import ReceivedMessage, UnidentifiedMessage
from shared.message.unrecorded import rejected_receipt, returned
from shared.message.waiting import Wait, WaitsFor
from shared.telemetry.logs import location

# A round without the database takes 3 h 20 min, see RELAY_RECEIPT_WAIT_SECONDS: four weeks.
MAX_RETURNS = 200
# Deliveries that no loop of crashes reaches: those are ended by their markers. A message that its
# next queue refused so often has waited for days, see HOLD_SECONDS.
MANY_DELIVERIES = 1000
# The rest of a doubt: each may also have ended a whole instance, markers and all.
MAX_MESSAGE_RETURNS = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReturnReceipt:
    """A receipt goes back to its queue, for the `returns`-th time."""

    returns: int


@dataclass(frozen=True)
class RejectReceipt:
    """What was on the queue of receipts goes to an operator."""

    reason: str
    detail: str


@dataclass(frozen=True)
class ReturnMessage:
    """A message that the bus gave up is tried again, for the `returns`-th time."""

    returns: int


def sort_receipt(letter: DeadLetter) -> ReturnReceipt | RejectReceipt:
    """Decide on what was on the queue of receipts, one or several in one message."""
    lines = read_lines(letter.message.body)
    # With one good one, all go back: the tracker rejects the others of them one by one.
    if len(lines) == 1 and isinstance(lines[0].receipt, ValueError):
        return RejectReceipt("not-a-receipt", str(lines[0].receipt))
    if letter.returns >= MAX_RETURNS:
        detail = f"returned {letter.returns} times; {letter.reason}: {letter.detail}"
        return RejectReceipt("receipt-not-recorded", detail)
    return ReturnReceipt(letter.returns + 1)


def sort_message(
    letter: DeadLetter, message: ReceivedMessage, key: DataKey | None
) -> Record | Reject | ReturnMessage:
    """Decide on a message of any other queue; `key` is None unless it opened the message."""
    if key and (done := after_opening(message, key)):
        return done
    if key and letter.deliveries_before >= MANY_DELIVERIES and letter.returns < MAX_MESSAGE_RETURNS:
        return ReturnMessage(letter.returns + 1)
    # What the bus gave up may be anything: the ledger hears only of what opens under its own id.
    return _reject(letter, is_recorded=key is not None)


class Triage:
    """What is done with dead letters."""

    def __init__(
        self,
        keys: KeyOpener,
        queues: ReceiverQueues,
        receipts_queue: str,
        policy: Policy,
        markers: CrashMarkers,
        accepted: Formats = KNOWN_FORMATS,
    ) -> None:
        self._keys = keys
        self._queues = queues
        self._receipts_queue = receipts_queue.lower()
        self._policy = policy
        self._markers = markers
        self._accepted = accepted

    async def handle(self, message: func.ServiceBusMessage) -> None:
        """Return when a dead letter is where it belongs; what it raises leaves it on the queue."""
        letter = DeadLetter.from_trigger(message, self._accepted)
        # By where it was, never by what it looks like: otherwise a right to send to `messages`
        # would be one to write into the ledger, by a message that the bus is made to give up.
        if letter.source == self._receipts_queue:
            await self._carry_out(letter, sort_receipt(letter))
        elif isinstance(letter.message, UnidentifiedMessage):
            await self._queues.set_aside(letter.message, _reject(letter, is_recorded=False))
        else:
            await self._handle_message(letter, letter.message)

    async def _carry_out(self, letter: DeadLetter, outcome: ReturnReceipt | RejectReceipt) -> None:
        queues, body, trace = self._queues, letter.message.body, letter.message.trace
        match outcome:
            case ReturnReceipt():
                again = returned(body, outcome.returns, trace)
                await queues.until_accepted(queues.to_receipts, again)
                _log.debug("returned a receipt: %s: %s", letter.reason, letter.detail)
            case RejectReceipt():
                reason, detail = outcome.reason, outcome.detail
                # Each apart: an operator finds it by its message's id, and replays or drops it.
                for line in read_lines(body):
                    one = rejected_receipt(line.body, reason, detail, trace)
                    await queues.until_accepted(queues.to_rejected, one)
                _log.error("rejected from the queue of receipts: %s: %s", reason, detail)

    async def _handle_message(self, letter: DeadLetter, message: ReceivedMessage) -> None:
        queues = self._queues
        if (decided := queues.decided.of(message)) and (left := decided.left(queues.clock())):
            await queues.carry_out(message, left, decided.key)
            return
        outcome, key = await self._outcome(letter, message)
        if isinstance(outcome, ReturnMessage):
            wait = Wait(WaitsFor.SERVICE, letter.reason, message.accepted_at)
            again = returned_message(message, queues.clock(), wait, outcome.returns)
            await queues.until_accepted(queues.to_retries, again)
            _log.warning("returned %s: %s: %s", message.id.id, letter.reason, letter.detail)
        else:
            await queues.carry_out(message, outcome, key)

    async def _outcome(
        self, letter: DeadLetter, message: ReceivedMessage
    ) -> tuple[Outcome | ReturnMessage, DataKey | None]:
        """Decide on a message, with the key that opened it.

        Raises `VaultError`, after which it comes again, and `NewerFormatError`, but not at the last
        of `max_deliveries`: by then another instance of the receiver may be newer.
        """
        try:
            return await held(
                lambda: self._opened(letter, message), self._queues.hold_seconds, VaultError
            )
        except (VaultError, NewerFormatError) as error:
            if message.deliveries < self._policy.max_deliveries:
                raise
            if message.pending:
                # Rejected, it could be replayed and delivered twice. Its next hop tries to open it.
                return Hold(self._queues.pending_seconds, str(error), is_recorded=False), None
            if isinstance(error, VaultError):
                raise  # however long it takes
            return _reject(letter, is_recorded=False), None

    async def _opened(
        self, letter: DeadLetter, message: ReceivedMessage
    ) -> tuple[Outcome | ReturnMessage, DataKey | None]:
        if message.deliveries < self._policy.suspect_from:
            key = await self._key_of(message)
            return sort_message(letter, message, key), key
        async with self._markers.alone(message) as crashes:
            if not message.pending and before_delivery(message, self._policy, crashes):
                return _reject(letter, is_recorded=False), None
            key = await self._key_of(message)
            return sort_message(letter, message, key), key

    async def _key_of(self, message: ReceivedMessage) -> DataKey | None:
        """Return the data key if it opens the message; raise what `_outcome` raises."""
        if isinstance(message.pending, NewerPendingReceipt):
            raise message.pending.error
        try:
            sealed = message.sealed(self._accepted)
            key = await self._keys.open(sealed.wrapped)
            sealed.open(key)
        except (VaultError, NewerFormatError):
            raise
        except DecryptionError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, the message did not open
            _log.error("unforeseen in opening a dead letter: %s", location(error))
            return None
        return key


def _reject(letter: DeadLetter, *, is_recorded: bool) -> Reject:
    return Reject(letter.reason, letter.detail, letter.message.attempts, is_recorded)
