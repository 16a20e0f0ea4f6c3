"""A SQL database that a secret names: its transactions, its rotation, its errors."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import asyncpg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.azure.vault import VaultDeniedError, VaultError
from shared.ledger.engine import make_engine
from shared.ledger.errors import (
    AuthenticationFailedError,
    LedgerError,
    LedgerUnavailableError,
    PoolerRefusedError,
)
from shared.ledger.sqlstate import UNKNOWN_STARTUP_PARAMETER

T = TypeVar("T")
_VALUE_ERRORS = (ValueError, OverflowError, DataError, IntegrityError)
_FAILURES = (SQLAlchemyError, asyncpg.PostgresError, sqlite3.Error, OSError, *_VALUE_ERRORS)
_SIGN_IN_REFUSED = ("28000", "28P01")
_NO_TABLE = "42P01"
_NO_CONNECTION_LEFT = "53300"  # of the server, of the role, or of those that are not reserved
_UNHOLDABLE = ("22", "23")  # the classes of SQLSTATE for data and constraints


class SecretDeniedError(LedgerUnavailableError):
    """The identity may not read the secret of the database, or is not attached here."""

    is_denial = True


class DatabaseSecret(Protocol):
    """A secret of a vault: `VaultSecret`."""

    @property
    def url(self) -> str:
        """Where the secret is."""

    async def value(self) -> str:
        """Return its current value. Raises `VaultError`."""

    def forget(self, value: str) -> None:
        """Read it again at the next use, if `value` is the one that is kept."""


@dataclass(eq=False)
class _Engine:
    """The engine of one value of the secret, and how many transactions use it."""

    engine: AsyncEngine
    users: int = 0
    retired: bool = False

    async def dispose_unused(self) -> None:
        if self.retired and not self.users:
            await self.engine.dispose()


class Database:
    """Runs transactions in the database of a secret, whose value is an SQLAlchemy URL.

    A new value of the secret is used by the next transaction; those under way end in the old one.
    The vault and the database need not change at the same moment: while one of two values is
    refused, the other serves. `ca_file` is a PEM file of those to trust for TLS, instead of
    the public ones.
    """

    def __init__(self, secret: DatabaseSecret, ca_file: Path | None = None) -> None:
        self._secret = secret
        self._ca_file = ca_file
        self._engines: dict[str, _Engine] = {}
        self._last_accepted_url: str | None = None  # the value that the database accepted last

    async def run(
        self, work: Callable[[AsyncConnection], Awaitable[T]], *, is_one_change: bool = False
    ) -> T:
        """Return what `work` returns once it is committed; raises `LedgerError`.

        `is_one_change`: at most one of its statements changes anything.
        """
        async with self._signed_in() as connection:
            if is_one_change and connection.dialect.name == "postgresql":
                # Such a statement is a transaction by itself, also for many rows (asyncpg,
                # `executemany`): BEGIN and COMMIT would be two more round trips.
                await connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                async with connection.begin():
                    if not is_one_change and connection.dialect.name == "sqlite":
                        # `SqliteConnection` begins nothing by itself. At once for writing: one that
                        # has read before is refused where another has written meanwhile.
                        await connection.exec_driver_sql("BEGIN IMMEDIATE")
                    return await work(connection)
            except _FAILURES as error:
                # Without its cause, which knows addresses, names and rows: it might be logged.
                raise map_error(error) from None

    async def close(self) -> None:
        """Close the connections, once their transactions are done."""
        for value in list(self._engines):
            await self._retire(value)

    @asynccontextmanager
    async def _signed_in(self) -> AsyncIterator[AsyncConnection]:
        refusals: dict[str, AuthenticationFailedError] = {}
        # Closed here: a generator that is only left is closed by a task of its own, each time.
        async with AsyncExitStack() as stack, aclosing(self._values()) as values:
            async for value in values:
                if value in refusals:
                    continue
                try:
                    connection = await stack.enter_async_context(self._connection(value))
                except AuthenticationFailedError as error:
                    refusals[value] = error
                else:
                    yield connection
                    return
        raise next(iter(refusals.values()))

    async def _values(self) -> AsyncGenerator[str, None]:
        """Give the values to sign in with: the kept one, the last one accepted, the newest."""
        value = await self._value()
        yield value
        if self._last_accepted_url is not None:
            yield self._last_accepted_url
        self._secret.forget(value)
        yield await self._value()

    async def _value(self) -> str:
        try:
            return await self._secret.value()
        except VaultError as error:
            denied = isinstance(error, VaultDeniedError)
            kind = SecretDeniedError if denied else LedgerUnavailableError
            message = f"no secret of the database: {error}"
            raise kind(message, retry_after=error.retry_after) from None

    @asynccontextmanager
    async def _connection(self, value: str) -> AsyncIterator[AsyncConnection]:
        engine = self._engines.get(value)
        if engine is None:
            engine = self._engines[value] = _Engine(self._engine(value))
        engine.users += 1
        try:
            async with AsyncExitStack() as stack:
                connection = await _connect(stack, engine.engine)
                await self._remember_accepted(value)
                yield connection
        except AuthenticationFailedError:
            await self._retire(value)
            raise
        finally:
            engine.users -= 1
            await engine.dispose_unused()

    async def _remember_accepted(self, value: str) -> None:
        self._last_accepted_url = value
        for other in [other for other in self._engines if other != value]:
            await self._retire(other)

    async def _retire(self, value: str) -> None:
        engine = self._engines.pop(value, None)
        if engine:
            engine.retired = True
            await engine.dispose_unused()

    def _engine(self, value: str) -> AsyncEngine:
        try:
            return make_engine(value, self._ca_file)
        except ValueError as error:
            self._secret.forget(value)  # the next call looks whether it has been corrected
            raise LedgerUnavailableError(f"the secret {self._secret.url}: {error}") from None


async def _connect(stack: AsyncExitStack, engine: AsyncEngine) -> AsyncConnection:
    try:
        return await stack.enter_async_context(engine.connect())
    except Exception as error:  # noqa: BLE001 - drivers raise anything, also for a bad URL
        found = map_error(error)
        if isinstance(found, LedgerUnavailableError):
            raise found from None
        raise LedgerUnavailableError(f"no connection to the database ({_kind(error)})") from None


def map_error(error: Exception) -> LedgerError:
    """Say what the database's error means, without what it says: that may be a row or a name."""
    if isinstance(error, LedgerError):
        return error
    code = _code(error) or ""
    # A server takes the parameters that this client sends, a pooler does not know them.
    if code == UNKNOWN_STARTUP_PARAMETER and "unsupported startup parameter" in str(error):
        return PoolerRefusedError()
    if code in _SIGN_IN_REFUSED:
        return AuthenticationFailedError(f"the database refuses the sign-in ({code})")
    if code == _NO_CONNECTION_LEFT:
        return LedgerUnavailableError(f"the database has no connection left ({code})")
    if code == _NO_TABLE or "no such table" in str(error):
        return LedgerUnavailableError("the database has no ledger yet: run the migration")
    if code.startswith(_UNHOLDABLE) or _is_about_a_value(error):
        return LedgerError(f"the database cannot hold it ({_kind(error)})")
    return LedgerUnavailableError(f"the database did not do it ({_kind(error)})")


def _is_about_a_value(error: Exception) -> bool:
    before_the_driver = isinstance(error, StatementError) and not isinstance(error, DBAPIError)
    return before_the_driver or isinstance(error, _VALUE_ERRORS)


def _kind(error: Exception) -> str:
    """Name an error without what it says."""
    cause = error.orig if isinstance(error, StatementError) else None
    name = type(cause or error).__name__
    code = _code(error)
    return f"{name}, {code}" if code else name


def _code(error: BaseException | None) -> str | None:
    """Find the SQLSTATE, wherever SQLAlchemy has put the driver's error."""
    while error is not None:
        if isinstance(error, asyncpg.PostgresError):
            return str(error.sqlstate)
        of_driver = error.orig if isinstance(error, StatementError) else None
        error = of_driver or error.__cause__
    return None
