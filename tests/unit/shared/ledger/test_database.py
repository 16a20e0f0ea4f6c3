"""What an error of the database means, and that it repeats nothing of what a database says."""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, StatementError

from shared.ledger.database import map_error
from shared.ledger.errors import AuthenticationFailedError, LedgerError, LedgerUnavailableError


def wrapped(
    cause: Exception, kind: type[StatementError] = DBAPIError, *, by_dialect: bool = True
) -> StatementError:
    """Return an error as SQLAlchemy raises it, or as one of its dialects caused by `cause`."""
    original = cause
    if by_dialect:
        original = Exception("planted")
        original.__cause__ = cause
    if issubclass(kind, DBAPIError):
        return kind("planted", {}, original)
    return kind("planted", "planted", {}, original)


@pytest.mark.parametrize("by_dialect", [True, False])
@pytest.mark.parametrize(
    ("cause", "kind", "text"),
    [
        (
            asyncpg.InvalidPasswordError("planted"),
            AuthenticationFailedError,
            "the database refuses the sign-in (28P01)",
        ),
        (
            asyncpg.InvalidAuthorizationSpecificationError("planted"),
            AuthenticationFailedError,
            "the database refuses the sign-in (28000)",
        ),
        (
            asyncpg.TooManyConnectionsError("planted"),
            LedgerUnavailableError,
            "the database has no connection left (53300)",
        ),
        (
            asyncpg.UndefinedTableError("planted"),
            LedgerUnavailableError,
            "the database has no ledger yet: run the migration",
        ),
        (asyncpg.NumericValueOutOfRangeError("planted"), LedgerError, ", 22003)"),
        (asyncpg.CheckViolationError("planted"), LedgerError, ", 23514)"),
        (asyncpg.DeadlockDetectedError("planted"), LedgerUnavailableError, ", 40P01)"),
        (asyncpg.AdminShutdownError("planted"), LedgerUnavailableError, ", 57P01)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_sqlstate_of_postgresql_says_what_happened(
    cause: Exception, kind: type[LedgerError], text: str, by_dialect: bool
) -> None:
    for error in (cause, wrapped(cause, by_dialect=by_dialect)):
        found = map_error(error)
        assert type(found) is kind
        assert str(found).endswith(text)
        assert "planted" not in str(found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sqlite3.OperationalError("no such table: messages"), LedgerUnavailableError),
        (sqlite3.OperationalError("database is locked"), LedgerUnavailableError),
        (wrapped(sqlite3.OperationalError("planted"), OperationalError), LedgerUnavailableError),
        (wrapped(sqlite3.IntegrityError("planted"), IntegrityError), LedgerError),
        (wrapped(sqlite3.DataError("planted"), DataError), LedgerError),
        (wrapped(ValueError("planted"), StatementError), LedgerError),
        (OverflowError("planted"), LedgerError),
        (ValueError("planted"), LedgerError),
        (ConnectionRefusedError("planted"), LedgerUnavailableError),
        (TimeoutError("planted"), LedgerUnavailableError),
        (asyncpg.InterfaceError("planted"), LedgerUnavailableError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_the_database_can_never_hold_is_not_an_outage(
    error: Exception, kind: type[LedgerError]
) -> None:
    found = map_error(error)
    assert type(found) is kind
    assert "planted" not in str(found)
