"""What the bus gave up: receipts go to the ledger again, messages to an operator with a reason.

Nobody may lose a receipt because another one in its batch could not be bound, or because the
ledger was away for longer than a queue is patient.
"""

from __future__ import annotations

import logging

import azure.functions as func

from shared.apps.outcomes import Outcomes
from shared.message.data_keys import DataKeyCache
from shared.message.dead_letter import DeadLetter
from shared.message.envelope import DataKey, DecryptionError
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.message.unrecorded import rejected_receipt, returned
from shared.settings.settings import ReceiverSettings

# A round without the database takes 3 h 20 min, see RELAY_RECEIPT_WAIT_SECONDS: four weeks.
MAX_RETURNS = 200
_log = logging.getLogger(__name__)


class Triage:
    """Sorts dead letters."""

    def __init__(self, settings: ReceiverSettings, keys: DataKeyCache, outcomes: Outcomes) -> None:
        self._receipts_queue = settings.receipts_queue.lower()
        self._max_deliveries = settings.max_deliveries
        self._keys = keys
        self._outcomes = outcomes

    async def sort(self, message: func.ServiceBusMessage) -> None:
        """Return when a dead letter is where it belongs; what it raises leaves it on the queue."""
        letter = DeadLetter.from_trigger(message)
        # By where it was, never by what it looks like: otherwise a right to send to `messages`
        # were one to write into the ledger, by a message that the bus is made to give up.
        if letter.source == self._receipts_queue:
            await self._receipt(letter)
        else:
            await self._message(letter)

    async def _receipt(self, letter: DeadLetter) -> None:
        problem = _no_receipt(letter.body)
        if problem:
            await self._outcomes.set_aside(rejected_receipt(letter.body, "not-a-receipt", problem))
            _log.error("rejected what is no receipt: %s", problem)
            return
        # The last delivery does not depend on the queue of receipts, which may be what failed.
        if letter.returns >= MAX_RETURNS or self._is_last(letter):
            detail = f"returned {letter.returns} times; {letter.reason}: {letter.detail}"
            set_aside = rejected_receipt(letter.body, "receipt-not-recorded", detail)
            await self._outcomes.set_aside(set_aside)
            _log.error("rejected a receipt: %s", detail)
            return
        await self._outcomes.record(returned(letter.body, letter.returns + 1))
        _log.debug("returned a receipt: %s: %s", letter.reason, letter.detail)

    async def _message(self, letter: DeadLetter) -> None:
        incoming = letter.incoming
        key = await self._opened(letter)
        pending = incoming.pending_receipt
        if (
            key
            and pending
            and (pending.state is State.REJECTED or incoming.has_authentic_receipt(key))
        ):
            # It was done with, and only its receipt was under way.
            await self._outcomes.publish_receipt(incoming, pending, key)
            return
        receipt = await self._outcomes.reject(incoming, letter.reason, letter.detail)
        # Only of a message that opens under its own id: what the bus gave up may be anything.
        if key:
            await self._outcomes.publish_receipt(incoming, receipt, key)

    async def _opened(self, letter: DeadLetter) -> DataKey | None:
        """Return the data key if the message is one of ours. Raises `VaultError`."""
        if self._is_last(letter):
            return None
        try:
            sealed = letter.incoming.sealed()
            key = await self._keys.open(sealed.wrapped)
            sealed.open(key)
        except DecryptionError:
            return None
        return key

    def _is_last(self, letter: DeadLetter) -> bool:
        return letter.incoming.deliveries >= self._max_deliveries


def _no_receipt(body: bytes) -> str | None:
    try:
        Receipt.from_json(body)
    except ValueError as error:
        return str(error)
    return None
