"""What the ledger has of a message."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.ledger.entry import LedgerEntry, NewMessage
from shared.message.state import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry_of(message: NewMessage, state: State = State.ACCEPTED) -> LedgerEntry:
    return LedgerEntry(
        id=message.id,
        state=state,
        content_type=message.content_type,
        size=message.size,
        key_version=None,
        attempts=0,
        detail=None,
        first_seen_at=message.accepted_at,
        accepted_at=message.accepted_at,
        queued_at=None,
        retrying_at=None,
        delivered_at=None,
        rejected_at=None,
        fingerprint=message.fingerprint,
    )
