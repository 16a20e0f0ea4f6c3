"""What the bus gave up: receipts go to the ledger again, messages to an operator with a reason.

No receipt may be lost because another one in its batch could not be bound, or because the ledger
was away for longer than its queue delivers a message again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import azure.functions as func

from shared.apps.outcomes import Hold, Outcome, Record, Reject, after_opening
from shared.apps.receiver_clients import KeyOpener
from shared.apps.receiver_queues import ReceiverQueues
from shared.azure.vault import VaultError
from shared.message.dead_letter import DeadLetter
from shared.message.envelope import DataKey, DecryptionError
from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.pending_receipt import NewerPendingReceipt
from shared.message.receipt_lines import read_lines
from shared.message.received import ReceivedMessage, UnidentifiedMessage
from shared.message.unrecorded import rejected_receipt, returned
from shared.telemetry.logs import location

# A round without the database takes 3 h 20 min, see RELAY_RECEIPT_WAIT_SECONDS: four weeks.
MAX_RETURNS = 200
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


def sort_receipt(letter: DeadLetter, max_deliveries: int) -> ReturnReceipt | RejectReceipt:
    """Decide on what was on the queue of receipts, one or several in one message."""
    lines = read_lines(letter.message.body)
    # With one good one, all go back: the tracker rejects the others of them one by one.
    if len(lines) == 1 and isinstance(lines[0].receipt, ValueError):
        return RejectReceipt("not-a-receipt", str(lines[0].receipt))
    # The last delivery does not depend on the queue of receipts, which may be what failed.
    if letter.returns >= MAX_RETURNS or letter.message.deliveries >= max_deliveries:
        detail = f"returned {letter.returns} times; {letter.reason}: {letter.detail}"
        return RejectReceipt("receipt-not-recorded", detail)
    return ReturnReceipt(letter.returns + 1)


def sort_message(
    letter: DeadLetter, message: ReceivedMessage, key: DataKey | None
) -> Record | Reject:
    """Decide on a message of any other queue; `key` is None unless it opened the message."""
    if key and (done := after_opening(message, key)):
        return done
    # What the bus gave up may be anything: the ledger hears only of what opens under its own id.
    return _reject(letter, is_recorded=key is not None)


class Triage:
    """What is done with dead letters."""

    def __init__(
        self,
        keys: KeyOpener,
        queues: ReceiverQueues,
        receipts_queue: str,
        max_deliveries: int,
        accepted: Formats = KNOWN_FORMATS,
    ) -> None:
        self._keys = keys
        self._queues = queues
        self._receipts_queue = receipts_queue.lower()
        self._max_deliveries = max_deliveries
        self._accepted = accepted

    async def handle(self, message: func.ServiceBusMessage) -> None:
        """Return when a dead letter is where it belongs; what it raises leaves it on the queue."""
        letter = DeadLetter.from_trigger(message, self._accepted)
        # By where it was, never by what it looks like: otherwise a right to send to `messages`
        # would be one to write into the ledger, by a message that the bus is made to give up.
        if letter.source == self._receipts_queue:
            await self._carry_out(letter, sort_receipt(letter, self._max_deliveries))
        elif isinstance(letter.message, UnidentifiedMessage):
            await self._queues.set_aside(letter.message, _reject(letter, is_recorded=False))
        else:
            outcome, key = await self._outcome(letter, letter.message)
            await self._queues.carry_out(letter.message, outcome, key)

    async def _carry_out(self, letter: DeadLetter, outcome: ReturnReceipt | RejectReceipt) -> None:
        body = letter.message.body
        match outcome:
            case ReturnReceipt():
                await self._queues.to_receipts(returned(body, outcome.returns))
                _log.debug("returned a receipt: %s: %s", letter.reason, letter.detail)
            case RejectReceipt():
                reason, detail = outcome.reason, outcome.detail
                # Each apart: an operator finds it by its message's id, and replays or drops it.
                for line in read_lines(body):
                    await self._queues.to_rejected(rejected_receipt(line.body, reason, detail))
                _log.error("rejected from the queue of receipts: %s: %s", reason, detail)

    async def _outcome(
        self, letter: DeadLetter, message: ReceivedMessage
    ) -> tuple[Outcome, DataKey | None]:
        """Decide on a message, with the key that opened it.

        Raises `VaultError` and `NewerFormatError`, after which it comes again, but at the last.
        """
        is_last = message.deliveries >= self._max_deliveries
        # The last delivery does not depend on the vault, which may be what failed, nor on a newer
        # version of this app; unless the message says that the partner has it.
        if is_last and not message.pending:
            return _reject(letter, is_recorded=False), None
        try:
            key = await self._key_of(message)
        except (VaultError, NewerFormatError) as error:
            if not is_last:
                raise
            # Rejected, it could be replayed and delivered twice. Its next hop tries to open it.
            return Hold(self._queues.pending_seconds, str(error), is_recorded=False), None
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
