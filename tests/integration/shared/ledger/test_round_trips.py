"""What a message costs the database: statements, transactions, pings; and what stays as safe."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.ledger import liveness
from shared.ledger.database import Database
from shared.ledger.engine import make_engine
from shared.ledger.entry import NewMessage
from shared.ledger.errors import LedgerError
from shared.ledger.ledger import Ledger
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases
from tests.databases import Secret
from tests.postgres import Postgres
from tests.tcp import Handler, serving

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Give a list that grows by the first word of each statement of this process."""
    seen: list[str] = []

    def record(*arguments: Any) -> None:
        seen.append(str(arguments[2]).split()[0])

    event.listen(Engine, "before_cursor_execute", record)
    yield seen
    event.remove(Engine, "before_cursor_execute", record)


def new(message_id: str, fingerprint: bytes | None = None) -> NewMessage:
    return NewMessage(message_id, "text/plain", 1, NOW, fingerprint)


async def test_a_message_that_comes_alone_is_two_statements(
    ledger: Ledger, statements: list[str]
) -> None:
    await ledger.accept(new("first"))  # opens the connection
    statements.clear()
    accepted = await ledger.accept(new("one"))
    await ledger.queued("one", "v1", NOW)
    assert statements == ["INSERT", "INSERT"]
    assert (accepted.id, accepted.state) == ("one", State.ACCEPTED)


async def test_messages_that_come_together_are_two_statements_as_well(
    ledger: Ledger, statements: list[str]
) -> None:
    await ledger.accept(new("first"))
    statements.clear()
    await asyncio.gather(*(ledger.accept(new(f"m{number}")) for number in range(50)))
    await asyncio.gather(*(ledger.queued(f"m{number}", "v1", NOW) for number in range(50)))
    assert statements == ["INSERT", "INSERT"]


async def test_each_that_comes_together_is_returned_as_it_is(
    ledger: Ledger, statements: list[str]
) -> None:
    """New ones, one that is there, one that receipts made known, one that comes twice."""
    await ledger.accept(new("there", b"fingerprint"))
    await ledger.queued("there", "v1", NOW)
    await ledger.record([Receipt("receipts", State.DELIVERED, NOW, attempts=1)])
    statements.clear()
    came = [new("z"), new("there", b"other"), new("twice", b"1"), new("a"), new("receipts", b"r")]
    entries = await asyncio.gather(*map(ledger.accept, [*came, new("twice", b"2")]))
    assert statements == ["INSERT", "SELECT"]
    assert [(entry.id, entry.state, entry.fingerprint) for entry in entries] == [
        ("z", State.ACCEPTED, None),
        ("there", State.QUEUED, b"fingerprint"),
        ("twice", State.ACCEPTED, b"1"),
        ("a", State.ACCEPTED, None),
        ("receipts", State.DELIVERED, b"r"),
        ("twice", State.ACCEPTED, b"1"),
    ]
    assert [await ledger.entry(entry.id) for entry in entries] == list(entries)


async def test_two_processes_that_accept_the_same_ids_do_not_wait_for_each_other_for_ever(
    ledger: Ledger, database_url: str
) -> None:
    another = Ledger(Secret(database_url))
    await asyncio.gather(ledger.check(), another.check())
    for times in range(4):
        ids = [f"{times}-{number:03}" for number in range(100)]
        found = await asyncio.gather(
            *(ledger.accept(new(id_, b"one")) for id_ in ids),
            *(another.accept(new(id_, b"other")) for id_ in reversed(ids)),
        )
        assert found[:100] == found[:99:-1]
    await another.close()


@pytest.mark.parametrize("unholdable", ["later\0", "naive"])
async def test_what_cannot_be_held_fails_with_its_batch_and_not_with_the_next(
    postgres: Postgres, unholdable: str
) -> None:
    ledger = Ledger(Secret(await databases.postgresql(postgres)))
    at = NOW.replace(tzinfo=None) if unholdable == "naive" else NOW
    bad = NewMessage(unholdable, "text/plain", 1, at)
    await ledger.check()
    found = await asyncio.gather(
        *map(ledger.accept, [new("before"), bad, new("after")]), return_exceptions=True
    )
    assert [type(one) for one in found] == [LedgerError] * 3
    assert await ledger.entry("before") is None
    assert (await ledger.accept(new("before"))).id == "before"
    await ledger.close()


async def test_any_number_of_messages_is_the_same_statement_to_postgresql(
    postgres: Postgres,
) -> None:
    """One of another text would be prepared anew, which is another round trip."""
    ledger = Ledger(Secret(await databases.postgresql(postgres)))
    await ledger.check()
    texts: set[str] = set()

    def record(*arguments: Any) -> None:
        texts.add(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", record)
    for count in (1, 2, 7, 30):
        for _ in range(2):  # new, and there already
            came = [new(f"{count}-{number}") for number in range(count)]
            await asyncio.gather(*map(ledger.accept, came))
    event.remove(Engine, "before_cursor_execute", record)
    assert sorted(text.split()[0] for text in texts) == ["INSERT", "SELECT"]
    await ledger.close()


async def test_each_of_the_two_statements_is_one_round_trip_to_postgresql(
    postgres: Postgres,
) -> None:
    url = await databases.postgresql(postgres)
    waits: list[str] = []
    async with serving(counting_waits(postgres.port, waits)) as port:
        ledger = Ledger(Secret(url.replace(f":{postgres.port}/", f":{port}/")))
        for name, count in (("first", 2), ("second", 2), ("third", 40)):
            waits.clear()
            ids = [f"{name}{number}" for number in range(count)]
            await asyncio.gather(*(ledger.accept(new(id_)) for id_ in ids))
            accepting = len(waits)
            await ledger.record([Receipt(id_, State.DELIVERED, NOW) for id_ in ids])
            if name != "first":  # which connects, and prepares both
                assert (accepting, len(waits)) == (1, 2)
        await ledger.close()


def counting_waits(server: int, waits: list[str]) -> Handler:
    """Return a proxy that notes each message of a client after which it waits for an answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_server = await asyncio.open_connection("127.0.0.1", server)
        (size,) = struct.unpack("!I", await reader.readexactly(4))
        to_server.write(struct.pack("!I", size) + await reader.readexactly(size - 4))
        answering = asyncio.create_task(pass_on(there, writer))
        try:
            with suppress(asyncio.IncompleteReadError):
                while True:
                    kind, size = struct.unpack("!cI", await reader.readexactly(5))
                    if kind in (b"S", b"H", b"Q"):  # Sync, Flush, Query
                        waits.append(kind.decode())
                    content = await reader.readexactly(size - 4)
                    to_server.write(struct.pack("!cI", kind, size) + content)
        finally:
            to_server.close()
            await asyncio.gather(answering, to_server.wait_closed(), return_exceptions=True)

    return serve


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(65536):
        writer.write(content)


async def test_a_message_that_is_there_already_is_returned_as_it_is(
    ledger: Ledger, statements: list[str]
) -> None:
    first = await ledger.accept(new("one", b"fingerprint"))
    await ledger.queued("one", "v1", NOW)
    statements.clear()
    again = await ledger.accept(new("one", b"another"))
    assert statements == ["INSERT", "SELECT"]
    assert (again.state, again.fingerprint) == (State.QUEUED, b"fingerprint")
    assert (first.state, first.fingerprint) == (State.ACCEPTED, b"fingerprint")


async def test_a_message_that_receipts_made_known_is_accepted_with_what_they_say(
    ledger: Ledger,
) -> None:
    await ledger.record([Receipt("one", State.DELIVERED, NOW, attempts=1)])
    accepted = await ledger.accept(new("one", b"fingerprint"))
    assert (accepted.state, accepted.fingerprint) == (State.DELIVERED, b"fingerprint")
    assert accepted == await ledger.entry("one")


async def test_one_id_twice_at_once_is_one_row_for_both(ledger: Ledger) -> None:
    twice = [new("one", b"a"), new("one", b"b")]
    await ledger.accept(new("first"))
    entries = await asyncio.gather(*map(ledger.accept, [new("other"), *twice]))
    assert entries[1] == entries[2]
    assert entries[1].fingerprint in (b"a", b"b")


async def test_of_receipts_of_which_one_cannot_be_held_none_is_recorded(
    postgres: Postgres,
) -> None:
    ledger = Ledger(Secret(await databases.postgresql(postgres)))
    good = [Receipt(f"good{n}", State.DELIVERED, NOW, attempts=1) for n in range(20)]
    bad = Receipt("middle", State.REJECTED, NOW, detail="\0")  # the server refuses it
    with pytest.raises(LedgerError):
        await ledger.record([*good[:10], bad, *good[10:]])
    assert not await ledger.entries(None, None, 10)
    await ledger.record(good)
    assert len(await ledger.entries(None, None, 50)) == 20
    await ledger.close()


async def test_one_change_has_no_transaction_around_it_and_more_have(postgres: Postgres) -> None:
    database = Database(Secret(await databases.postgresql(postgres)))

    async def is_in_transaction(connection: AsyncConnection) -> bool:
        await connection.execute(text("SELECT 1"))
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver
        return bool(driver.is_in_transaction())

    for is_one_change in (True, False, True, False):
        found = await database.run(is_in_transaction, is_one_change=is_one_change)
        assert found != is_one_change
    await database.close()


@pytest.mark.parametrize(("idle", "pings"), [(0.0, 4), (3600.0, 0)])
async def test_a_connection_is_pinged_only_after_it_was_idle(
    database_url: str, monkeypatch: pytest.MonkeyPatch, idle: float, pings: int
) -> None:
    monkeypatch.setattr(liveness, "PING_AFTER_SECONDS", idle)
    engine = make_engine(database_url)
    dialect, counted = engine.sync_engine.dialect, []
    ping = dialect.do_ping

    def counting(connection: Any) -> bool:
        counted.append(connection)
        return ping(connection)

    monkeypatch.setattr(dialect, "do_ping", counting)
    for _ in range(4):
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    await engine.dispose()
    assert len(counted) == pings


async def test_a_connection_that_does_not_answer_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "PING_AFTER_SECONDS", 0.0)
    engine = make_engine(database_url)
    dialect, fails = engine.sync_engine.dialect, [False]
    ping = dialect.do_ping

    def failing(connection: Any) -> bool:
        if fails and fails.pop():
            raise dialect.loaded_dbapi.Error("planted")
        return ping(connection)

    monkeypatch.setattr(dialect, "do_ping", failing)
    drivers = []
    for _ in range(2):
        async with engine.connect() as connection:
            drivers.append((await connection.get_raw_connection()).driver_connection)
        fails.append(True)
    await engine.dispose()
    assert drivers[0] is not drivers[1]


async def test_a_connection_whose_server_closed_it_is_replaced_without_a_ping(
    postgres: Postgres,
) -> None:
    url = await databases.postgresql(postgres)
    engine, killer = make_engine(url), make_engine(url)
    async with engine.connect() as connection:
        process = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver
        closed = asyncio.Event()
        driver.add_termination_listener(lambda _: closed.set())
    async with killer.connect() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend({process})"))
    await closed.wait()
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one() != process
    await engine.dispose()
    await killer.dispose()


async def test_a_commit_in_sqlite_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    """As the local bus's does not; each message would wait for it twice."""
    database = Database(Secret(await databases.sqlite(tmp_path)))

    async def read(connection: AsyncConnection) -> list[object]:
        names = ("journal_mode", "synchronous")
        return [await connection.scalar(text(f"PRAGMA {name}")) for name in names]

    normal = 1
    assert await database.run(read) == ["wal", normal]
    await database.close()
