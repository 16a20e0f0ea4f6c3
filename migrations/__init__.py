"""The ledger's schema, made and changed step by step: a step of the deployment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from shared.ledger.database import map_error
from shared.ledger.engine import make_engine

_SECONDS = 3600.0
_NEWEST = "head"  # what Alembic calls the newest version
_LOCK = 0x5EA1ED  # an advisory lock of PostgreSQL: any number that nothing else uses


@dataclass(frozen=True)
class Upgraded:
    """The versions before (`None`: there was no ledger) and after it."""

    before: str | None
    after: str | None


def upgrade(url: str, ca_file: Path | None = None, to: str = _NEWEST) -> Upgraded:
    """Bring the schema of the database at `url` up to date; several at once wait for each other.

    `to` is the version to stop at. All of it is done or nothing. Raises `LedgerError`, or
    `ValueError` for what is not a URL; neither repeats the URL.
    """
    return asyncio.run(upgrading(url, ca_file, to))


async def upgrading(url: str, ca_file: Path | None = None, to: str = _NEWEST) -> Upgraded:
    """Do the same inside a running event loop."""
    engine = make_engine(url, ca_file, _SECONDS)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade, to)
    except Exception as error:  # noqa: BLE001 - drivers raise anything
        raise map_error(error) from None
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, to: str) -> Upgraded:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    before = _version(connection)
    command.upgrade(config, to)
    return Upgraded(before, _version(connection))


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
