"""What was decided on messages, until it is carried out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.apps.outcomes import Outcome, Record, Reject, Retry
from shared.message.envelope import DataKey
from shared.message.received import ReceivedMessage

_MAX_ENTRIES = 1000  # more than one process handles at once


@dataclass(frozen=True)
class Decided:
    """An outcome, the data key that opened its message, and when it was decided (UTC)."""

    outcome: Retry | Reject | Record
    key: DataKey | None
    at: datetime

    def left(self, now: datetime) -> Outcome | None:
        """Return what is left to do of it; None where the next attempt at the partner is due."""
        if not isinstance(self.outcome, Retry):
            return self.outcome
        left = self.at + timedelta(seconds=self.outcome.delay) - now
        return replace(self.outcome, delay=left.total_seconds()) if left > timedelta() else None

    def resumed(self, message: ReceivedMessage) -> ReceivedMessage:
        """Return the message with the attempts that were made at the partner meanwhile."""
        if not isinstance(self.outcome, Retry):
            return message
        made, used = self.outcome.attempts, self.outcome.schedule_used
        return replace(message, attempts=made, schedule_used=used)


class DecidedOutcomes:
    """What this process has decided and could not carry out yet.

    While a queue refuses what follows, the message comes again: the partner must not get it again,
    nor be asked again before it is due. A process that ends forgets them, and another
    instance that gets the message does not know them.
    """

    def __init__(self) -> None:
        self._decided: OrderedDict[tuple[str, bytes], Decided] = OrderedDict()

    def keep(self, message: ReceivedMessage, decided: Decided) -> None:
        """Keep what was decided on a message, instead of what was decided before."""
        self._decided[_key(message)] = decided
        while len(self._decided) > _MAX_ENTRIES:
            self._decided.popitem(last=False)

    def of(self, message: ReceivedMessage) -> Decided | None:
        """Return what was decided on a message, None if nothing was as far as is known."""
        return self._decided.get(_key(message))

    def remove(self, message: ReceivedMessage) -> None:
        """Forget a message: what was decided is carried out."""
        self._decided.pop(_key(message), None)


def _key(message: ReceivedMessage) -> tuple[str, bytes]:
    return message.bus_id, message.digest
