"""The ledger on both of its databases: who was first, what is shared, how it is listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from shared.ledger.entry import LedgerEntry, NewMessage, Position
from shared.ledger.errors import LedgerError
from shared.ledger.ledger import Ledger
from shared.message.receipt import Receipt
from shared.message.state import State
from tests.databases import Secret

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def new(id_: str, fingerprint: bytes | None = None, at: datetime = NOW) -> NewMessage:
    return NewMessage(id_, "text/plain", 3, at, fingerprint)


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def see(*arguments: object) -> None:
        seen.append(str(arguments[2]).split()[0])

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


async def test_a_message_goes_from_accepted_to_delivered(ledger: Ledger) -> None:
    accepted = await ledger.accept(new("a", b"print"))
    assert accepted == LedgerEntry(
        *("a", State.ACCEPTED, "text/plain", 3, None, 0, None),
        *(NOW, NOW, None, None, None, None, b"print"),
    )
    await ledger.queued("a", "v1", NOW + SECOND)
    retrying = Receipt("a", State.RETRYING, NOW + 2 * SECOND, 1, detail="status 503")
    delivered = Receipt("a", State.DELIVERED, NOW + 3 * SECOND, 1)
    await ledger.record([retrying])
    assert (await entry(ledger, "a")).detail == "status 503"
    await ledger.record([delivered])
    assert await ledger.entry("a") == LedgerEntry(
        *("a", State.DELIVERED, "text/plain", 3, "v1", 1, None),
        *(NOW, NOW, NOW + SECOND, NOW + 2 * SECOND, NOW + 3 * SECOND, None, b"print"),
    )


async def test_times_are_kept_as_moments_whatever_their_offset(ledger: Ledger) -> None:
    elsewhere = NOW.astimezone(tz=__import__("zoneinfo").ZoneInfo("Asia/Kathmandu"))
    found = await ledger.accept(new("a", at=elsewhere))
    assert (found.accepted_at, found.first_seen_at.tzinfo) == (NOW, UTC)
    with pytest.raises(LedgerError):
        await ledger.accept(new("b", at=NOW.replace(tzinfo=None)))
    assert await ledger.entry("b") is None


async def test_who_was_first_stays_so(ledger: Ledger) -> None:
    first = await ledger.accept(new("a", b"planted"))
    assert await ledger.accept(new("a", b"second", NOW + SECOND)) == first
    await ledger.accept(new("b"))
    assert (await ledger.accept(new("b", b"second"))).fingerprint is None
    assert b"planted" not in repr(first).encode()
    assert b"planted" not in repr(new("a", b"planted")).encode()


async def test_what_is_known_from_receipts_alone_can_still_be_accepted(ledger: Ledger) -> None:
    receipt = Receipt(
        "a", State.REJECTED, NOW, 3, 0, "partner-refused", "v1", "application/json", 12
    )
    await ledger.record([receipt])
    found = await entry(ledger, "a")
    assert (found.state, found.accepted_at, found.rejected_at) == (State.REJECTED, None, NOW)
    assert (found.content_type, found.size, found.key_version) == ("application/json", 12, "v1")
    later = await ledger.accept(new("a", b"print", NOW + SECOND))
    assert (later.state, later.accepted_at, later.fingerprint) == (
        *(State.REJECTED, NOW + SECOND),
        b"print",
    )
    assert later.position == found.position


async def test_nothing_is_known_of_an_unknown_id(ledger: Ledger) -> None:
    assert await ledger.entry("a") is None
    assert await ledger.entries(None, None, 10) == []
    await ledger.record([])


async def test_two_hundred_at_once_with_one_id_make_one_row(
    ledger: Ledger, database_url: str
) -> None:
    another = Ledger(Secret(database_url))  # as another process has it
    accepting = [
        one.accept(new("a", bytes([number]))) for number in range(100) for one in (ledger, another)
    ]
    entries = await asyncio.gather(*accepting)
    assert len({entry.fingerprint for entry in entries}) == 1
    assert len(set(entries)) == 1
    assert await ledger.entries(None, None, 10) == [entries[0]]
    await another.close()


async def test_requests_at_once_share_statements(ledger: Ledger) -> None:
    async def send(number: int) -> LedgerEntry:
        entry = await ledger.accept(new(f"m{number}"))
        await ledger.queued(entry.id, "v1", NOW + SECOND)
        return entry

    await ledger.check()
    with statements() as seen:
        entries = await asyncio.gather(*(send(number) for number in range(200)))
    assert [entry.id for entry in entries] == [f"m{number}" for number in range(200)]
    # All that waits goes together, in one statement to accept and some to queue.
    assert len(seen) <= 8
    queued = await ledger.entries(State.QUEUED, None, 300)
    assert len(queued) == 200


async def test_receipts_are_written_all_or_none(ledger: Ledger) -> None:
    good = Receipt("a", State.DELIVERED, NOW)
    bad = Receipt("b", State.DELIVERED, NOW, attempts=2**70)
    with pytest.raises(LedgerError):
        await ledger.record([good, bad])
    assert await ledger.entry("a") is None


async def test_two_processes_that_write_the_same_rows_do_not_wait_for_each_other_for_ever(
    ledger: Ledger, database_url: str
) -> None:
    another = Ledger(Secret(database_url))
    ids = [f"m{number:03}" for number in range(500)]
    # Connected before, so that neither has a start.
    await asyncio.gather(ledger.check(), another.check())
    for times in range(6):
        one, other = (
            [
                Receipt(name, State.RETRYING, NOW + (2 * times + later) * SECOND, attempts=times)
                for name in ids
            ]
            for later in (0, 1)
        )
        await asyncio.gather(ledger.record(one), another.record(other[::-1]))
    assert len(await ledger.entries(State.RETRYING, None, 1000)) == 500
    await another.close()


async def pages(
    ledger: Ledger, state: State | None, limit: int
) -> AsyncIterator[list[LedgerEntry]]:
    after: Position | None = None
    while page := await ledger.entries(state, after, limit):
        yield list(page)
        after = page[-1].position


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_pages_miss_nothing_while_rows_come_and_move(ledger: Ledger, limit: int) -> None:
    # Many of the same moment: the id decides among them.
    there = [new(f"m{number:02}", at=NOW + SECOND * (number // 10)) for number in range(30)]
    await asyncio.gather(*(ledger.accept(message) for message in there))
    seen: list[str] = []
    async for page in pages(ledger, None, limit):
        assert len(page) <= limit
        seen += [entry.id for entry in page]
        await ledger.accept(new(f"new{len(seen)}", at=NOW + timedelta(days=1)))
        await ledger.record([Receipt(page[0].id, State.DELIVERED, NOW + timedelta(days=2))])
        await ledger.record([Receipt(there[0].id, State.RETRYING, NOW + timedelta(days=2))])
    assert seen == [message.id for message in reversed(there)]


async def test_a_list_of_one_state_holds_those_and_no_others(ledger: Ledger) -> None:
    for number in range(9):
        await ledger.accept(new(f"m{number}", at=NOW + SECOND * number))
    delivered = [f"m{number}" for number in (1, 4, 7)]
    await ledger.record([Receipt(id_, State.DELIVERED, NOW) for id_ in delivered])
    pages_of = pages(ledger, State.DELIVERED, 2)
    assert [[entry.id for entry in page] async for page in pages_of] == [["m7", "m4"], ["m1"]]
    rest = await ledger.entries(State.ACCEPTED, None, 100)
    assert [entry.id for entry in rest] == ["m8", "m6", "m5", "m3", "m2", "m0"]


async def entry(ledger: Ledger, id_: str) -> LedgerEntry:
    found = await ledger.entry(id_)
    assert found is not None
    return found


async def test_what_a_sender_accepted_takes_precedence_over_what_receipts_said(
    ledger: Ledger,
) -> None:
    planted = Receipt("a", State.REJECTED, NOW, 1, content_type="planted/type", size=999)
    await ledger.record([planted])
    await ledger.accept(new("a", b"print", NOW + SECOND))
    await ledger.record([planted])
    found = await entry(ledger, "a")
    assert (found.content_type, found.size, found.fingerprint) == ("text/plain", 3, b"print")
    assert (found.accepted_at, found.queued_at) == (NOW + SECOND, None)
