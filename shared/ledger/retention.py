"""How long what is final is kept, and what becomes of it after that: values, without a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from shared.ledger.entry import Position
from shared.message.state import State

FINAL = (State.DELIVERED, State.DROPPED)
"""The states after which nothing more happens to a message by itself or by an operator."""

OPEN = (State.ACCEPTED, State.QUEUED, State.RETRYING)
"""The states of a message that is on its way to the partner."""

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before everything: what is kept for ever is older than nothing."""


@dataclass(frozen=True)
class Retention:
    """For how many days something is kept; None is for ever.

    `ledger_days` is for rows, from the last step of their message on; `key_days` for the id and
    fingerprint of a message with an `Idempotency-Key`, from its acceptance on; `rejected_days` for
    messages on the queue of rejected ones, from their arrival there on.
    """

    ledger_days: int | None = 90
    rejected_days: int | None = 90
    key_days: int | None = 365

    def rows_before(self, now: datetime) -> datetime:
        """Return the moment before which the last step of a message must be for it to go."""
        return _days_before(now, self.ledger_days)

    def rejected_before(self, now: datetime) -> datetime:
        """Return the moment before which a message must have been rejected for it to go."""
        return _days_before(now, self.rejected_days)

    def keys_before(self, now: datetime) -> datetime:
        """Return the moment before which a message must be accepted for its key to go."""
        return _days_before(now, self.key_days)


def _days_before(now: datetime, days: int | None) -> datetime:
    return BEGINNING if days is None else now - timedelta(days=days)


@dataclass(frozen=True)
class Batch:
    """What became of some rows: how many were removed, how many left a tombstone.

    `last` is the position of the last one looked at, None where there are no more.
    """

    removed: int
    tombstones: int
    last: Position | None


class Erasure(Enum):
    """What became of the row of one message."""

    UNKNOWN = "there is none"
    REMOVED = "removed"
    TOMBSTONE = "a tombstone is left"
    STILL_OPEN = "it has not come to its end"


@dataclass(frozen=True)
class Erased:
    """What became of the row of one message; `state` and `since` are what it was."""

    outcome: Erasure
    state: State | None = None
    since: datetime | None = None
