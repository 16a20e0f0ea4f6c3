"""How the ledger is pruned, batch by batch, without a database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from ops.prune import BATCH, MessagesDropped, RowsPruned, as_dict, prune_ledger
from shared.ledger.entry import Position
from shared.ledger.retention import FINAL, Batch, Retention
from shared.message.state import State

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LAST = Position(NOW, "a")


class Pruned:
    """A ledger with so many batches of each state, and tombstones that have expired."""

    def __init__(self, batches: int = 1, expired: int = 0, ends: asyncio.Event | None = None):
        self.batches, self.expired, self.ends = batches, expired, ends
        self.asked: list[tuple[State, datetime, datetime, Position | None]] = []

    async def prune(
        self,
        state: State,
        rows_before: datetime,
        keys_before: datetime,
        after: Position | None,
        limit: int,
    ) -> Batch:
        assert limit == BATCH
        self.asked.append((state, rows_before, keys_before, after))
        if self.ends:
            self.ends.set()
        of_state = sum(one[0] is state for one in self.asked)
        return Batch(3, 2, LAST if of_state < self.batches else None)

    async def expire(self, keys_before: datetime, limit: int) -> int:
        assert (keys_before, limit) == (NOW - timedelta(days=365), BATCH)
        some = min(self.expired, limit)
        self.expired -= some
        return some


async def test_all_states_that_are_final_are_pruned_to_the_end() -> None:
    ledger = Pruned(batches=3, expired=2 * BATCH + 7)
    pruned = await prune_ledger(ledger, Retention(), NOW, asyncio.Event())
    assert pruned == RowsPruned(3 * 3 * 2, 2 * 3 * 2, 2 * BATCH + 7)
    times = NOW - timedelta(days=90), NOW - timedelta(days=365)
    expected = [(state, *times, after) for state in FINAL for after in (None, LAST, LAST)]
    assert ledger.asked == expected


async def test_what_is_kept_for_ever_is_not_looked_at() -> None:
    ledger = Pruned(expired=1)
    retention = Retention(ledger_days=None, key_days=None)
    assert await prune_ledger(ledger, retention, NOW, asyncio.Event()) == RowsPruned()
    assert (ledger.asked, ledger.expired) == ([], 1)


async def test_it_ends_after_the_batch_that_is_under_way() -> None:
    stop = asyncio.Event()
    ledger = Pruned(batches=9, expired=9, ends=stop)
    assert await prune_ledger(ledger, Retention(), NOW, stop) == RowsPruned(3, 2, 0)
    assert (len(ledger.asked), ledger.expired) == (1, 9)


def test_what_is_left_is_reported_with_its_reason() -> None:
    messages = MessagesDropped(1, [("a", "why")], 2, "locked")
    assert as_dict(messages, RowsPruned(3, 4, 5), {State.RETRYING: 6}) == {
        "dropped": 1,
        "removed": 3,
        "tombstones": 4,
        "expired_tombstones": 5,
        "not_dropped": [{"id": "a", "why": "why"}, {"count": 2, "why": "locked"}],
        "not_final": {"retrying": 6},
    }
