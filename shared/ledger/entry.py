"""What the ledger takes and gives: values, without the library that reaches the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shared.message.state import State


@dataclass(frozen=True)
class NewMessage:
    """A message that a caller sends. `size` is of the payload, in bytes.

    `fingerprint` differs for another message under the same id: an HMAC under a key that only the
    caller has, so that nobody else learns anything of the payload from it.
    """

    id: str
    content_type: str
    size: int
    accepted_at: datetime
    fingerprint: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Position:
    """A position in the list of all entries: directly after one of them."""

    at: datetime
    id: str


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger knows of one message. Times are in UTC, and `None` for what has not happened.

    `accepted_at` is missing only where the ledger knows a message from its receipts alone.
    `queued_at` and `delivered_at` are of the first time, `retrying_at`, `rejected_at` and
    `dropped_at` of the last. `first_seen_at` is when the ledger first had a row of it:
    acceptance, as a rule. `next_attempt_at` belongs to the state `retrying`.
    """

    id: str
    state: State
    content_type: str | None
    size: int | None
    key_version: str | None
    attempts: int
    detail: str | None
    first_seen_at: datetime
    accepted_at: datetime | None
    queued_at: datetime | None
    retrying_at: datetime | None
    delivered_at: datetime | None
    rejected_at: datetime | None
    fingerprint: bytes | None = field(repr=False)
    dropped_at: datetime | None = None
    next_attempt_at: datetime | None = None

    @property
    def position(self) -> Position:
        """Where the next page begins when this is the last entry of one."""
        return Position(self.first_seen_at, self.id)


@dataclass(frozen=True)
class Backlog:
    """How many messages are under way, and how many bytes their payloads have together."""

    messages: int
    payload_bytes: int


COUNT_LIMIT = 10_000
"""The messages of a state that are counted; of more it is only known that there are as many."""


@dataclass(frozen=True)
class StateCount:
    """How many messages are in a state, up to `COUNT_LIMIT`, and since when the ledger has them.

    `oldest_at` is when the oldest of them was first seen, None where there is none.
    """

    state: State
    messages: int
    oldest_at: datetime | None
