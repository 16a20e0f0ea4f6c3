"""The errors of the ledger."""

from __future__ import annotations

from shared.errors import RelayError


class LedgerError(RelayError):
    """The ledger did not do it. Never says what is in the ledger, or how to reach it."""


class LedgerUnavailableError(LedgerError):
    """The database or its secret is away or denied: the same call may succeed later."""

    transient = True


class PoolerRefusedError(LedgerUnavailableError):
    """A pooler, such as PgBouncer, is between: prepared statements and time limits do not hold."""

    def __init__(self) -> None:
        super().__init__(
            "the database is behind a connection pooler (such as PgBouncer, port 6432), which is "
            "not supported: name the server itself, port 5432, in its secret"
        )


class AuthenticationFailedError(LedgerUnavailableError):
    """The database does not accept the user and password of the secret."""

    is_denial = True
