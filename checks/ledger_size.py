"""How large the ledger becomes: worked out from what a row takes, for the document on operating.

The bytes are measured on PostgreSQL 16 with all indexes, after a message was accepted, queued and
delivered by updates of its own, and vacuumed; a test holds them to a database.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.ledger.retention import Retention

ROW_BYTES = 560
"""A row of a delivered message, with its share of the indexes."""

KEY_BYTES = 45
"""What a fingerprint adds to it."""

TOMBSTONE_BYTES = 330
"""What is left of such a row, with its share of the indexes."""

_DAY = 86_400
_YEAR = 365
_RATES = (1, 10, 100)
_GB = 10**9


@dataclass(frozen=True)
class LedgerSize:
    """The bytes of a ledger with so many messages a second, `with_keys` or without any key."""

    rate: float
    with_keys: bool

    def unpruned(self, days: int) -> float:
        """Return them after so many days in which nothing was removed."""
        row = ROW_BYTES + (KEY_BYTES if self.with_keys else 0)
        return self.rate * _DAY * days * row

    def pruned(self, retention: Retention, days: int) -> float:
        """Return them after so many days in which it was pruned every day."""
        rows = days if retention.ledger_days is None else min(days, retention.ledger_days)
        keys = days if retention.key_days is None else min(days, retention.key_days)
        tombstones = max(0, keys - rows) if self.with_keys else 0
        return self.unpruned(rows) + self.rate * _DAY * tombstones * TOMBSTONE_BYTES


def table() -> str:
    """Return the table of sizes after a year."""
    default, shorter = Retention(), Retention(ledger_days=30, key_days=30)
    headings = (
        *("messages a second", "`Idempotency-Key`", "a day", "a year, never pruned"),
        *("a year, as by default", "a year, 30 days of rows and keys"),
    )
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for rate in _RATES:
        for with_keys in (False, True):
            size = LedgerSize(rate, with_keys)
            cells = (
                size.unpruned(1),
                size.unpruned(_YEAR),
                size.pruned(default, _YEAR),
                size.pruned(shorter, _YEAR),
            )
            shown = " | ".join(_gigabytes(cell) for cell in cells)
            lines.append(f"| {rate} | {'each' if with_keys else 'none'} | {shown} |")
    return "\n".join(lines)


def _gigabytes(size: float) -> str:
    value = size / _GB
    places = 0 if value >= 10 else 1 if value >= 1 else 2
    return f"{value:,.{places}f} GB"
