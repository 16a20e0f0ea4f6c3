"""The ledger: what became of each message, in a SQL database. Never a payload."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Insert, Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.concurrency.batches import Batch, Batches
from shared.ledger.acceptance import COLUMNS, accept_all
from shared.ledger.backlog import backlog
from shared.ledger.counts import counts
from shared.ledger.database import Database, DatabaseSecret
from shared.ledger.entry import Backlog, LedgerEntry, NewMessage, Position, StateCount
from shared.ledger.errors import LedgerUnavailableError
from shared.ledger.table import IS_PROVEN, LISTED, messages, upsert
from shared.message.receipt import Receipt
from shared.message.state import State

_MAX_BATCH = 200  # of what goes together in one transaction
_STATE = [column.name for column in COLUMNS].index("state")
_RowUpdate = Mapping[str, Any]  # values of columns of the table, and IS_PROVEN


class Ledger:
    """The ledger in the database that a secret names. Any number of processes may share it.

    Everything raises `LedgerUnavailableError` when the database or its secret is not available.
    `ca_file` is a PEM file of those to trust for TLS, instead of the public ones.
    """

    def __init__(self, secret: DatabaseSecret, ca_file: Path | None = None) -> None:
        self._database = Database(secret, ca_file)
        self._accepting = Batches(self._accept_all, LedgerUnavailableError)
        self._updating = Batches(self._update_all, LedgerUnavailableError)
        self._counting = Batches(self._count_all, LedgerUnavailableError)
        self._sqlite_writer = asyncio.Lock()

    async def accept(self, message: NewMessage) -> LedgerEntry:
        """Write a new message; return the entry of its id, of this message or an earlier one."""
        return await self._accepting.run(message)

    async def queued(self, message_id: str, key_version: str, at: datetime) -> None:
        """Write that a message, sealed with a version of the key, is on its queue."""
        await self._updating.run(
            [_row_update(message_id, State.QUEUED, at, key_version=key_version)]
        )

    async def record(self, receipts: Sequence[Receipt]) -> None:
        """Write what receipts say: all of them or, when it raises, none."""
        if receipts:
            await self._updating.run([_update_from_receipt(receipt) for receipt in receipts])

    async def entry(self, message_id: str) -> LedgerEntry | None:
        """Return what is known of a message."""

        async def read(connection: AsyncConnection) -> LedgerEntry | None:
            row = (await connection.execute(one_entry(message_id))).one_or_none()
            return None if row is None else _entry(row)

        return await self._database.run(read, is_one_change=True)

    async def entries(
        self, state: State | None, after: Position | None, limit: int
    ) -> Sequence[LedgerEntry]:
        """Return at most `limit` entries, newest first, from after `after` on.

        Entries keep their place, so no page misses one or repeats one because of what is new.
        """

        async def read(connection: AsyncConnection) -> Sequence[LedgerEntry]:
            rows = await connection.execute(some_entries(state, after, limit))
            return [_entry(row) for row in rows]

        return await self._database.run(read, is_one_change=True)

    async def backlog(self, since: datetime, limit: int) -> Backlog:
        """Count what is under way, first seen after `since`; up to `limit` messages a state."""

        async def read(connection: AsyncConnection) -> Backlog:
            count, size = (await connection.execute(backlog(since, limit))).one()
            return Backlog(int(count), int(size))

        return await self._database.run(read, is_one_change=True)

    async def counts(self) -> Sequence[StateCount]:
        """Count the messages of each state. Any number of callers at once cost one statement."""
        return await self._counting.run(None)

    async def check(self) -> None:
        """Return if the ledger could be read."""

        async def read(connection: AsyncConnection) -> None:
            await connection.execute(select(messages.c.id).limit(1))

        await self._database.run(read, is_one_change=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def _accept_all(self, batch: Batch[NewMessage, LedgerEntry]) -> Sequence[LedgerEntry]:
        async def write(connection: AsyncConnection) -> Sequence[LedgerEntry]:
            async with self._writer(connection):
                # Taken in its turn: what came while another wrote goes as well.
                accepted = batch.take_at_most(_MAX_BATCH)
                rows = await accept_all(connection, accepted) if accepted else []
            entries = {row.id: _entry(row) for row in rows}
            return [entries[message.id] for message in accepted]

        return await self._database.run(write, is_one_change=True)

    async def _count_all(
        self, batch: Batch[None, Sequence[StateCount]]
    ) -> Sequence[Sequence[StateCount]]:
        async def read(connection: AsyncConnection) -> Sequence[StateCount]:
            rows = {row[0]: row for row in await connection.execute(counts())}
            return [
                StateCount(state, int(rows[state][1]), rows[state][2])
                if state in rows
                else StateCount(state, 0, None)
                for state in State
            ]

        taken = batch.take(lambda _: True)
        found = await self._database.run(read, is_one_change=True)
        return [found] * len(taken)

    async def _update_all(self, batch: Batch[Sequence[_RowUpdate], None]) -> Sequence[None]:
        async def write(connection: AsyncConnection) -> int:
            async with self._writer(connection):
                taken = batch.take_at_most(_MAX_BATCH)
                if taken:
                    await _upsert(connection, list(chain.from_iterable(taken)))
            return len(taken)

        return [None] * await self._database.run(write, is_one_change=True)

    def _writer(self, connection: AsyncConnection) -> AbstractAsyncContextManager[Any]:
        """Write in it: of SQLite's writers one works, and others would nap and hold a thread."""
        is_sqlite = connection.dialect.name == "sqlite"
        return self._sqlite_writer if is_sqlite else nullcontext()


def _entry(row: Row[Any]) -> LedgerEntry:
    values = list(row)  # in the order of COLUMNS, which is that of the fields
    values[_STATE] = State(values[_STATE])
    return LedgerEntry(*values)


def one_entry(message_id: str) -> Select[Any]:
    """Return the statement that reads one entry."""
    return select(*COLUMNS).where(messages.c.id == message_id)


def some_entries(state: State | None, after: Position | None, limit: int) -> Select[Any]:
    """Return the statement that reads a page of entries."""
    columns = [messages.c.first_seen_at, messages.c.id]
    place = [] if after is None else [after.at, after.id]
    statement = select(*COLUMNS).where(LISTED)
    if state is not None:
        # Not `state = ...`: a planner would choose the index of all states for a state that many
        # have, and keep that plan for one that few have, reading all the others.
        columns, place = [messages.c.state, *columns], [state.value, *place]
        statement = statement.where(messages.c.state >= state.value)
    if place:
        row: ColumnElement[Any] = tuple_(*columns)
        behind = row < tuple(place) if after else messages.c.state <= place[0]
        statement = statement.where(behind)
    return statement.order_by(*(column.desc() for column in columns)).limit(limit)


async def _upsert(connection: AsyncConnection, updates: Sequence[_RowUpdate]) -> None:
    """Merge updates into their rows."""
    # Only columns that one of them has a value for, and in all of them the same ones.
    columns = dict.fromkeys(chain.from_iterable(updates))
    # In the order of their ids: two processes that lock each other's rows would deadlock.
    ordered = sorted(updates, key=lambda update: str(update["id"]))
    values = [{**columns, **update} for update in ordered]
    await connection.execute(_upsert_statement(connection.dialect.name), values)


@cache
def _upsert_statement(dialect: str) -> Insert:
    return upsert(dialect)


def _update_from_receipt(receipt: Receipt) -> _RowUpdate:
    return _row_update(
        receipt.message_id,
        receipt.state,
        receipt.at,
        attempts=receipt.attempts,
        replay=receipt.replay,
        detail=receipt.detail,
        key_version=receipt.key_version,
        next_attempt_at=receipt.next_attempt_at,
        content_type=receipt.content_type,
        size=receipt.size,
        **{IS_PROVEN: receipt.is_proven},
    )


def _row_update(message_id: str, state: State, at: datetime, **more: object) -> _RowUpdate:
    return {
        "attempts": 0,
        "replay": 0,
        IS_PROVEN: True,
        **more,
        "id": message_id,
        "state": state.value,
        "state_at": at,
        "first_seen_at": at,
        f"{state.value}_at": at,
    }
