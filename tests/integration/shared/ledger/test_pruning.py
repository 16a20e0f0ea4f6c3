"""What the ledger gives up by age or by request, and what it must not, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from shared.ledger.engine import make_engine
from shared.ledger.entry import LedgerEntry, NewMessage, Position
from shared.ledger.ledger import Ledger
from shared.ledger.pruning import RetainedLedger
from shared.ledger.retention import FINAL, OPEN, Erased, Erasure
from shared.ledger.table import messages
from shared.message.receipt import Receipt
from shared.message.state import State
from tests.databases import Secret

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS_BEFORE = NOW - 90 * DAY
KEYS_BEFORE = NOW - 365 * DAY
PRINT = b"print"


@pytest.fixture
async def retained(database_url: str) -> AsyncIterator[RetainedLedger]:
    retained = RetainedLedger(Secret(database_url))
    yield retained
    await retained.close()


async def reach(
    ledger: Ledger,
    id_: str,
    state: State,
    days: int,
    fingerprint: bytes | None = None,
    ended: int | None = None,
) -> None:
    """Have a message accepted so many days ago, and in a state since `ended` days ago."""
    at = NOW - days * DAY
    await ledger.accept(NewMessage(id_, "text/plain", 3, at, fingerprint))
    if state is not State.ACCEPTED:
        await ledger.queued(id_, "v1", at)
    if state not in (State.ACCEPTED, State.QUEUED):
        last = at if ended is None else NOW - ended * DAY
        await ledger.record([Receipt(id_, state, last, 1, detail="why")])


async def prune(retained: RetainedLedger, limit: int = 100) -> tuple[int, int]:
    """Prune all that is due, in batches; return how many were removed and how many buried."""
    removed = tombstones = 0
    for state in FINAL:
        after: Position | None = None
        while True:
            batch = await retained.prune(state, ROWS_BEFORE, KEYS_BEFORE, after, limit)
            removed, tombstones = removed + batch.removed, tombstones + batch.tombstones
            if (after := batch.last) is None:
                break
    return removed, tombstones


async def listed(ledger: Ledger) -> set[str]:
    return {entry.id for entry in await ledger.entries(None, None, 1000)}


async def entry(ledger: Ledger, id_: str) -> LedgerEntry:
    found = await ledger.entry(id_)
    assert found
    return found


async def test_only_what_is_final_and_old_goes(ledger: Ledger, retained: RetainedLedger) -> None:
    for state in State:
        await reach(ledger, f"{state}-old", state, 91)
        await reach(ledger, f"{state}-new", state, 89)
    assert await prune(retained) == (2, 0)
    gone = {f"{state}-old" for state in FINAL}
    every = {f"{state}-{age}" for state in State for age in ("old", "new")}
    assert await listed(ledger) == every - gone
    assert await prune(retained) == (0, 0)


@pytest.mark.parametrize("state", [*OPEN, State.REJECTED])
async def test_what_is_not_final_is_never_asked_for(retained: RetainedLedger, state: State) -> None:
    with pytest.raises(ValueError, match="is not final"):
        await retained.prune(state, ROWS_BEFORE, KEYS_BEFORE, None, 10)


async def test_age_counts_from_the_last_step(ledger: Ledger, retained: RetainedLedger) -> None:
    await reach(ledger, "late", State.DELIVERED, 400, ended=10)
    await reach(ledger, "early", State.DELIVERED, 400, ended=91)
    assert await prune(retained) == (1, 0)
    assert await listed(ledger) == {"late"}


async def test_a_receipt_that_is_dated_back_ages_no_message(
    ledger: Ledger, retained: RetainedLedger
) -> None:
    """Whoever may send to the queue of receipts chooses their times, and can send them first."""
    for id_, seconds in (("before", 0), ("after", 1)):
        forged = Receipt(id_, State.DELIVERED, datetime(2000, 1, 1, tzinfo=UTC))
        new = NewMessage(id_, "text/plain", 3, NOW, PRINT)
        steps = [ledger.record([forged]), ledger.accept(new)]
        for step in steps[:: -1 if seconds else 1]:
            await step
    assert await prune(retained) == (0, 0)
    assert await retained.expire(KEYS_BEFORE, 100) == 0


async def test_a_key_still_sends_once_after_its_row_was_pruned(
    ledger: Ledger, retained: RetainedLedger
) -> None:
    await reach(ledger, "a", State.DELIVERED, 91, PRINT)
    before = await entry(ledger, "a")
    assert await prune(retained) == (0, 1)
    tombstone = await entry(ledger, "a")
    assert tombstone == replace(
        before, content_type=None, size=None, key_version=None, detail=None, delivered_at=None
    )
    # It is not listed, and a repeat, which comes with all of it again, finds it and fills nothing.
    assert await listed(ledger) == set()
    repeat = await ledger.accept(NewMessage("a", "text/plain", 3, NOW, PRINT))
    another = await ledger.accept(NewMessage("a", "text/plain", 3, NOW, b"another"))
    assert repeat == another == tombstone
    assert tombstone.queued_at
    late = Receipt("a", State.REJECTED, NOW, 9, 7, "late", is_proven=False)
    await ledger.record([late, replace(late, is_proven=True)])
    assert await entry(ledger, "a") == tombstone
    assert await prune(retained) == (0, 0)


async def test_a_tombstone_goes_when_its_key_is_no_longer_promised(
    ledger: Ledger, retained: RetainedLedger
) -> None:
    for id_, days in (("young", 364), ("old", 366)):
        await reach(ledger, id_, State.DELIVERED, days, PRINT)
    # Of the one whose key has expired already, none is left.
    assert await prune(retained) == (1, 1)
    assert await retained.expire(KEYS_BEFORE, 100) == 0
    assert (await entry(ledger, "young")).fingerprint == PRINT
    assert await retained.expire(KEYS_BEFORE + 2 * DAY, 100) == 1
    assert await ledger.entry("young") is None


async def test_what_a_tombstone_becomes_later_is_pruned_in_its_turn(
    ledger: Ledger, retained: RetainedLedger
) -> None:
    await reach(ledger, "a", State.DROPPED, 100, PRINT)
    assert await prune(retained) == (0, 1)
    await ledger.record([Receipt("a", State.DELIVERED, NOW - 95 * DAY, 1)])
    assert await listed(ledger) == {"a"}
    assert await prune(retained) == (0, 1)
    assert (await entry(ledger, "a")).state is State.DELIVERED


async def test_batches_are_of_a_bounded_size_and_go_on_where_the_last_ended(
    ledger: Ledger, retained: RetainedLedger
) -> None:
    # One in three is not due yet, and is looked at once.
    for number in range(30):
        ended = 10 if number % 3 == 0 else 100
        await reach(ledger, f"m{number:02}", State.DELIVERED, 200 + number // 10, ended=ended)
    after, sizes = None, []
    while True:
        batch = await retained.prune(State.DELIVERED, ROWS_BEFORE, KEYS_BEFORE, after, 7)
        sizes.append(batch.removed + batch.tombstones)
        if (after := batch.last) is None:
            break
    assert max(sizes) <= 7
    assert (len(sizes), sum(sizes)) == (5, 20)
    assert len(await listed(ledger)) == 10


async def test_tombstones_expire_in_batches(ledger: Ledger, retained: RetainedLedger) -> None:
    for number in range(5):
        await reach(ledger, f"m{number}", State.DELIVERED, 300, PRINT)
    assert await prune(retained) == (0, 5)
    assert [await retained.expire(NOW, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_several_may_prune_while_the_ledger_is_in_use(
    ledger: Ledger, retained: RetainedLedger, database_url: str
) -> None:
    another = RetainedLedger(Secret(database_url))
    old = [f"m{number:03}" for number in range(200)]
    receipts = [Receipt(id_, State.DELIVERED, NOW - 100 * DAY) for id_ in old]
    await ledger.record(receipts)
    new = [NewMessage(f"n{number}", "text/plain", 3, NOW) for number in range(100)]
    pruning = [asyncio.create_task(prune(one, 10)) for one in (retained, another)]
    await asyncio.gather(
        *(ledger.accept(message) for message in new),
        ledger.record([replace(one, state=State.RETRYING, at=NOW) for one in receipts[::-1]][:50]),
    )
    # What was written meanwhile is young again, if it came before.
    assert 150 <= sum([(await one)[0] for one in pruning]) <= 200
    assert {message.id for message in new} <= await listed(ledger)
    await another.close()


@pytest.mark.parametrize("state", OPEN)
async def test_an_open_message_is_not_erased(
    ledger: Ledger, retained: RetainedLedger, state: State
) -> None:
    await reach(ledger, "a", state, 5)
    before = await entry(ledger, "a")
    erased = await retained.erase("a", KEYS_BEFORE)
    assert erased == Erased(Erasure.STILL_OPEN, state, NOW - 5 * DAY)
    assert await entry(ledger, "a") == before


@pytest.mark.parametrize("state", [State.REJECTED, *FINAL])
async def test_a_closed_message_is_erased_whatever_its_age(
    ledger: Ledger, retained: RetainedLedger, state: State
) -> None:
    await reach(ledger, "plain", state, 1)
    await reach(ledger, "keyed", state, 1, PRINT)
    assert (await retained.erase("plain", KEYS_BEFORE)).outcome is Erasure.REMOVED
    assert (await retained.erase("plain", KEYS_BEFORE)).outcome is Erasure.UNKNOWN
    for _ in range(2):  # once more changes nothing
        assert (await retained.erase("keyed", KEYS_BEFORE)).outcome is Erasure.TOMBSTONE
    assert await ledger.entry("plain") is None
    tombstone = await entry(ledger, "keyed")
    assert (tombstone.state, tombstone.fingerprint) == (state, PRINT)
    assert (tombstone.content_type, tombstone.size, tombstone.detail) == (None, None, None)
    # Once its key is no longer promised, nothing is left.
    assert (await retained.erase("keyed", NOW + DAY)).outcome is Erasure.REMOVED
    assert await ledger.entry("keyed") is None


async def test_what_is_old_and_open_is_counted(ledger: Ledger, retained: RetainedLedger) -> None:
    for state in State:
        await reach(ledger, f"{state}-old", state, 91)
        await reach(ledger, f"{state}-new", state, 89)
    expected = dict.fromkeys((*OPEN, State.REJECTED), 1)
    assert await retained.open_before(ROWS_BEFORE) == expected


async def test_the_clock_is_the_databases(retained: RetainedLedger) -> None:
    assert abs(datetime.now(UTC) - await retained.now()) < timedelta(minutes=1)


async def _hold(url: str, id_: str, held: asyncio.Event, let_go: asyncio.Event) -> None:
    """Keep a row locked, as a transaction of an app does."""
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.execute(select(messages).where(messages.c.id == id_).with_for_update())
        held.set()
        await let_go.wait()
    await engine.dispose()


async def test_a_row_that_somebody_has_locked_is_left_to_the_next_run(
    ledger: Ledger, retained: RetainedLedger, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has no locks of rows")
    for id_ in ("a", "b"):
        await reach(ledger, id_, State.DELIVERED, 100)
    held, let_go = asyncio.Event(), asyncio.Event()
    holding = asyncio.create_task(_hold(database_url, "a", held, let_go))
    await held.wait()
    assert await prune(retained) == (1, 0)
    let_go.set()
    await holding
    assert await prune(retained) == (1, 0)
