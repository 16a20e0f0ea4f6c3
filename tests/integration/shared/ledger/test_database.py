"""The database behind its secret: away and back, rotated, wrong, and never shown by an error."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

import shared.ledger.engine
from shared.azure.vault import VaultDeniedError
from shared.ledger.database import Database
from shared.ledger.entry import LedgerEntry, NewMessage
from shared.ledger.errors import LedgerError, LedgerUnavailableError
from shared.ledger.ledger import Ledger
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases
from tests.databases import Secret
from tests.postgres import Postgres
from tests.tcp import TcpServer, forward

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARK = "planted"  # in every URL, password and row here, and to be in no error


def new(number: int) -> NewMessage:
    return NewMessage(f"{MARK}{number}", "text/plain", 3, NOW)


async def refused(ledger: Ledger) -> LedgerError:
    """Let everything fail, each as it should, and return one of the errors."""
    errors: list[LedgerError] = []
    for call in (
        ledger.accept(new(0)),
        ledger.queued(f"{MARK}0", "v1", NOW),
        ledger.record([Receipt(f"{MARK}0", State.DELIVERED, NOW)]),
        ledger.entry(f"{MARK}0"),
        ledger.entries(None, None, 10),
        ledger.check(),
    ):
        with pytest.raises(LedgerUnavailableError) as caught:
            await call
        # As a log would show it, with all that led to it.
        assert MARK not in "".join(traceback.format_exception(caught.value))
        errors.append(caught.value)
    return errors[0]


async def threads_ended() -> None:
    """Wait for aiosqlite: it leaves the thread of a file that it could not open to itself."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


@pytest.mark.parametrize(
    "text",
    [
        *("", MARK, '{"kind": "unset"}', f"postgresql://relay:{MARK}@localhost/relay"),
        *(f"mysql+aiomysql://relay:{MARK}@localhost/x", f"postgresql+asyncpg://{MARK}:port/x"),
        f"postgresql+asyncpg://relay:{MARK}@[::1/x",
    ],
)
async def test_a_secret_that_is_no_such_url_is_named_and_mended(text: str, tmp_path: Path) -> None:
    secret = Secret(await databases.sqlite(tmp_path))
    secret.stale = text or " "
    ledger = Ledger(secret)
    with pytest.raises(LedgerUnavailableError) as caught:
        await ledger.check()
    assert str(caught.value) == (
        f"the secret {Secret.url}: it is not a URL of sqlite+aiosqlite or postgresql+asyncpg"
    )
    await ledger.check()
    await ledger.close()


@pytest.mark.parametrize(
    "url",
    [
        f"sqlite+aiosqlite:////{MARK}/nowhere/file",
        f"postgresql+asyncpg://relay:{MARK}@127.0.0.1:9/{MARK}?ssl=disable",
        f"postgresql+asyncpg://relay:{MARK}@{MARK}.invalid/x",
    ],
)
async def test_a_database_that_is_not_there_is_unavailable(url: str) -> None:
    ledger = Ledger(Secret(url))
    assert re.match("the database did not do it|no connection", str(await refused(ledger)))
    await ledger.close()
    await threads_ended()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+asyncpg://relay:{MARK}@127.0.0.1:9/{MARK}?{MARK}=1",
        f"postgresql+asyncpg://relay:{MARK}@{MARK * 20}/x",
        f"postgresql+asyncpg://relay:{MARK}@{MARK}.example/x?ssl=disable",
        f"postgresql+asyncpg://relay:{MARK}@127.0.0.1/x?ssl=disable&host={MARK}.example",
    ],
)
async def test_a_url_that_is_not_used_is_named_without_being_shown(url: str) -> None:
    ledger = Ledger(Secret(url))
    found = str(await refused(ledger))
    assert re.match(f"the secret {Secret.url}: it", found)
    await ledger.close()


async def test_a_secret_that_is_not_to_be_had_makes_it_unavailable() -> None:
    class Denied(Secret):
        async def value(self) -> str:
            raise VaultDeniedError("read the secret", "status 403", 403)

    ledger = Ledger(Denied(MARK))
    assert "status 403" in str(await refused(ledger))
    await ledger.close()


async def test_a_database_without_a_schema_asks_for_the_migration(tmp_path: Path) -> None:
    ledger = Ledger(Secret(f"sqlite+aiosqlite:///{tmp_path / MARK}"))
    assert "run the migration" in str(await refused(ledger))
    await ledger.close()


async def test_a_postgresql_without_a_schema_asks_for_it_too(postgres: Postgres) -> None:
    ledger = Ledger(Secret(postgres.url("template1")))
    assert "run the migration" in str(await refused(ledger))
    await ledger.close()


async def test_what_cannot_be_held_is_no_outage(ledger: Ledger) -> None:
    for bad in (
        Receipt("a", State.DELIVERED, NOW, detail=f"{MARK} \ud800"),
        Receipt("a", State.DELIVERED, NOW, size=2**80),
        Receipt("a", State.DELIVERED, NOW.replace(tzinfo=None), detail=MARK),
    ):
        with pytest.raises(LedgerError, match="cannot hold it") as caught:
            await ledger.record([bad])
        assert not isinstance(caught.value, LedgerUnavailableError)
        assert MARK not in "".join(traceback.format_exception(caught.value))
    await ledger.check()


async def test_a_writer_that_never_ends_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await databases.sqlite(tmp_path)
    monkeypatch.setattr(shared.ledger.engine, "_STATEMENT_SECONDS", 0.2)
    ledger = Ledger(Secret(url))
    with databases.held(url):
        with pytest.raises(LedgerUnavailableError):
            await ledger.accept(new(1))
        assert await ledger.entry(f"{MARK}1") is None  # readers wait for no writer
    assert (await ledger.accept(new(1))).state == State.ACCEPTED
    await ledger.close()


async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared.ledger.engine, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ledger = Ledger(Secret(f"postgresql+asyncpg://relay:{MARK}@127.0.0.1:{port}/x?ssl=disable"))
        await refused(ledger)
        await ledger.close()


async def test_a_statement_that_takes_too_long_is_ended(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await databases.postgresql(postgres)
    patient = Ledger(Secret(url))
    await patient.accept(new(1))
    monkeypatch.setattr(shared.ledger.engine, "_STATEMENT_SECONDS", 1.0)
    ledger = Ledger(Secret(url))
    engine = shared.ledger.engine.make_engine(url)
    async with engine.connect() as other:
        await other.exec_driver_sql("LOCK TABLE messages")
        with pytest.raises(LedgerUnavailableError):
            await ledger.accept(new(2))
        await other.rollback()
    assert await patient.entry(f"{MARK}1")
    assert await patient.entry(f"{MARK}2") is None
    await engine.dispose()
    await ledger.close()
    await patient.close()


async def test_a_database_that_was_away_is_used_again(postgres: Postgres) -> None:
    url = await databases.postgresql(postgres)
    proxy = TcpServer(lambda reader, writer: forward(reader, writer, postgres.port))
    await proxy.start()
    ledger = Ledger(Secret(url.replace(f":{postgres.port}/", f":{proxy.port}/")))
    await asyncio.gather(*(ledger.entry(str(number)) for number in range(20)))
    await proxy.close()
    await refused(ledger)
    await proxy.start()
    assert (await ledger.accept(new(1))).state == State.ACCEPTED
    # Connections that broke while nobody used them fail no request.
    await proxy.close()
    await proxy.start()
    await asyncio.gather(*(ledger.entry(str(number)) for number in range(20)))
    await ledger.close()
    await proxy.close()


@asynccontextmanager
async def role(postgres: Postgres, url: str) -> AsyncIterator[str]:
    """Make a role that may use the ledger in a database."""
    name = f"role_{urlsplit(url).path[1:]}"
    await databases.run(
        *(url, f"CREATE ROLE {name} LOGIN PASSWORD 'first'"),
        f"GRANT SELECT, INSERT, UPDATE ON messages TO {name}",
    )
    yield name


@asynccontextmanager
async def used_up(postgres: Postgres, leaving: int) -> AsyncIterator[None]:
    """Take every connection as a superuser, who gets those that are reserved, too; leave some."""
    async with AsyncExitStack() as stack:
        taken: list[asyncpg.Connection] = []
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                connection = await asyncpg.connect(
                    host="127.0.0.1",
                    port=postgres.port,
                    user=postgres.user,
                    password=postgres.password,
                    database="postgres",
                    ssl=False,
                )
                stack.push_async_callback(connection.close)
                taken.append(connection)
        for connection in taken[:leaving]:
            await connection.close()
        yield


RESERVED = 3  # for superusers, where a server's configuration says nothing else


@pytest.mark.parametrize("left", ["none", "reserved ones"])
async def test_a_database_without_a_connection_left_is_unavailable(
    postgres: Postgres, left: str
) -> None:
    url = await databases.postgresql(postgres)
    async with role(postgres, url) as name:
        ledger = Ledger(Secret(postgres.url(urlsplit(url).path[1:], name, "first")))
        async with used_up(postgres, RESERVED if left == "reserved ones" else 0):
            error = await refused(ledger)
            assert str(error) == "the database has no connection left (53300)"
        assert (await ledger.accept(new(1))).state == State.ACCEPTED
        await ledger.close()


async def test_requests_with_a_connection_go_on_where_others_get_none(postgres: Postgres) -> None:
    url = await databases.postgresql(postgres)
    async with role(postgres, url) as name:
        ledger = Ledger(Secret(postgres.url(urlsplit(url).path[1:], name, "first")))
        await ledger.accept(new(1))
        await databases.run(url, f"ALTER ROLE {name} CONNECTION LIMIT 1")
        outcomes = await asyncio.gather(
            *(ledger.entry(f"{MARK}1") for _ in range(20)), return_exceptions=True
        )
        assert all(isinstance(one, LedgerEntry | LedgerUnavailableError) for one in outcomes)
        assert any(isinstance(one, LedgerEntry) for one in outcomes)
        await ledger.close()


@pytest.mark.parametrize("first", ["vault", "database"])
async def test_no_request_fails_while_the_password_is_rotated(
    postgres: Postgres, first: str
) -> None:
    url = await databases.postgresql(postgres)
    database = urlsplit(url).path[1:]
    async with role(postgres, url) as name:
        secret = Secret(postgres.url(database, name, "first"))
        ledger = Ledger(secret)
        stop = asyncio.Event()
        done = 0

        async def use(number: int) -> None:
            nonlocal done
            while not stop.is_set():
                await ledger.accept(new(done * 10 + number))
                await ledger.entry(f"{MARK}{number}")
                done += 1

        async def more(count: int) -> None:
            until = done + count
            while done < until:
                await asyncio.sleep(0.01)
                if any(user.done() for user in users):
                    await asyncio.gather(*users)

        # Few at first: those who come later need connections of their own.
        users = [asyncio.create_task(use(number)) for number in range(2)]
        await more(20)
        if first == "vault":
            secret.text = postgres.url(database, name, "second")
            await more(20)
            await databases.run(url, f"ALTER ROLE {name} PASSWORD 'second'")
        else:
            secret.stale = secret.text
            await databases.run(url, f"ALTER ROLE {name} PASSWORD 'second'")
            secret.text = postgres.url(database, name, "second")
        await more(20)
        users += [asyncio.create_task(use(number)) for number in range(2, 10)]
        await more(40)
        stop.set()
        await asyncio.gather(*users)
        assert secret.stale is None
        assert list(ledger._database._engines) == [secret.text]
        await ledger.close()


async def test_an_old_connection_serves_to_its_end_and_is_closed_then(postgres: Postgres) -> None:
    url = await databases.postgresql(postgres)
    database = urlsplit(url).path[1:]
    began, go_on = asyncio.Event(), asyncio.Event()

    async def who(connection: AsyncConnection) -> str:
        began.set()
        await go_on.wait()
        return str((await connection.execute(text("SELECT current_user"))).scalar_one())

    async with role(postgres, url) as name:
        secret = Secret(postgres.url(database, name, "first"))
        old_and_new = Database(secret)
        serving = asyncio.create_task(old_and_new.run(who))
        await began.wait()
        secret.text = url
        await old_and_new.run(lambda connection: connection.execute(text("SELECT 1")))
        go_on.set()
        assert await serving == name
        async with asyncio.timeout(30):
            # The server needs a moment to see that a client is gone.
            while name in await old_and_new.run(who_is_there):
                pass
        await old_and_new.close()


async def who_is_there(connection: AsyncConnection) -> list[str]:
    rows = await connection.execute(text("SELECT usename FROM pg_stat_activity"))
    return [str(row.usename) for row in rows]


async def test_a_password_that_is_wrong_for_good_is_told(postgres: Postgres) -> None:
    secret = Secret(postgres.url(password=MARK))
    ledger = Ledger(secret)
    assert "refuses the sign-in (28P01)" in str(await refused(ledger))
    assert secret.forgotten
    await ledger.close()


async def test_a_new_file_is_used_from_the_next_request_on(tmp_path: Path) -> None:
    secret = Secret(await databases.sqlite(tmp_path))
    ledger = Ledger(secret)
    await ledger.accept(new(1))
    secret.text = await databases.sqlite(tmp_path)
    assert await ledger.entry(f"{MARK}1") is None
    assert len(ledger._database._engines) == 1
    await ledger.close()
    await ledger.check()  # closed is not over: the next request begins anew
    await ledger.close()


@pytest.mark.parametrize("asked", ["", "?ssl=require", "?ssl=prefer"])
async def test_the_password_goes_to_nobody_who_does_not_prove_who_he_is(
    postgres: Postgres, asked: str, ca_file: Path
) -> None:
    if postgres.authorities is None:
        pytest.skip("the only PostgreSQL available is built without TLS")
    url = await databases.postgresql(postgres)
    secret = Secret(postgres.tls_url(urlsplit(url).path[1:]) + asked)
    for authorities in (None, ca_file):
        distrusting = Ledger(secret, authorities)
        assert "SSLCertVerificationError" in str(await refused(distrusting))
        await distrusting.close()
    ledger = Ledger(secret, postgres.authorities)
    await ledger.check()
    await ledger.close()
