"""What the ledger gives up: final messages by age, and one message where somebody asks for it.

A message that has not come to its end is never given up, whatever its age. Of a message with an
`Idempotency-Key` a *tombstone* stays for as long as keys are promised: a repeat finds it and sends
nothing. It stays in the row it was in, so that at no moment a repeat finds neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Update,
    and_,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.ledger.database import Database, DatabaseSecret
from shared.ledger.entry import Position
from shared.ledger.retention import BEGINNING, FINAL, OPEN, Batch, Erased, Erasure
from shared.ledger.table import LISTED, PRUNED, messages
from shared.message.state import State

_TIMES = ("accepted_at", "queued_at", "retrying_at", "rejected_at", "delivered_at", "dropped_at")
_PERSONAL = (
    *("content_type", "size", "key_version", "detail", "next_attempt_at"),
    *_TIMES[2:],
)


class RetainedLedger:
    """The ledger as its retention changes it, in the database that a secret names.

    Each call is one short transaction; those on many rows wait for none that is locked. All raise
    `LedgerUnavailableError` when the database or its secret is not available.
    """

    def __init__(self, secret: DatabaseSecret, ca_file: Path | None = None) -> None:
        self._database = Database(secret, ca_file)

    async def now(self) -> datetime:
        """Return the time by the database's clock: that of an operator's machine may be wrong."""

        async def read(connection: AsyncConnection) -> datetime:
            if connection.dialect.name == "sqlite":
                return datetime.now(UTC)
            moment: datetime = (await connection.execute(select(func.now()))).scalar_one()
            return moment.astimezone(UTC)

        return await self._database.run(read, is_one_change=True)

    async def prune(
        self,
        state: State,
        rows_before: datetime,
        keys_before: datetime,
        after: Position | None,
        limit: int,
    ) -> Batch:
        """Look at `limit` messages of a final state, oldest first, and give up those that are due.

        Due is one of which every time is before `rows_before`. Its row is removed, or leaves a
        tombstone if it has a fingerprint and was accepted at `keys_before` or later.
        """
        if state not in FINAL:
            raise ValueError(f"{state} is not final")

        async def write(connection: AsyncConnection) -> Batch:
            statement = candidates(state, rows_before, keys_before, after, limit)
            rows = (await connection.execute(statement)).all()
            due = _is_due(rows_before)
            removed = [row.id for row in rows if row.is_due and not row.keeps_key]
            tombstones = [row.id for row in rows if row.is_due and row.keeps_key]
            last = rows[-1] if len(rows) == limit else None
            return Batch(
                await _run(connection, _remove(removed, due), removed),
                await _run(connection, _bury(tombstones, due), tombstones),
                last and Position(last.first_seen_at, last.id),
            )

        return await self._database.run(write)

    async def expire(self, keys_before: datetime, limit: int) -> int:
        """Remove `limit` tombstones of messages that were accepted before, oldest first."""

        async def write(connection: AsyncConnection) -> int:
            rows = await connection.execute(expired(keys_before, limit))
            ids = [row.id for row in rows]
            return await _run(connection, _remove(ids, PRUNED), ids)

        return await self._database.run(write)

    async def erase(self, message_id: str, keys_before: datetime) -> Erased:
        """Give up the row of one message, whatever its age, as `prune` does."""
        closed = messages.c.state.not_in(OPEN)

        async def write(connection: AsyncConnection) -> Erased:
            statement = (
                select(messages.c.state, messages.c.state_at, _keeps_key(keys_before))
                .where(messages.c.id == message_id)
                .with_for_update()
            )
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                return Erased(Erasure.UNKNOWN)
            state = State(row.state)
            change = _bury if row.keeps_key else _remove
            # In SQLite, another process may have written the row since it was read.
            if state in OPEN or not await _run(connection, change([message_id], closed), [1]):
                return Erased(Erasure.STILL_OPEN, state, row.state_at)
            outcome = Erasure.TOMBSTONE if row.keeps_key else Erasure.REMOVED
            return Erased(outcome, state, row.state_at)

        return await self._database.run(write)

    async def open_before(self, before: datetime) -> Mapping[State, int]:
        """Count messages that the ledger has known since before, and that are not final."""

        async def read(connection: AsyncConnection) -> Mapping[State, int]:
            found = {}
            for state in (*OPEN, State.REJECTED):
                counted = select(func.count()).select_from(messages).where(_in(state, before))
                if count := (await connection.execute(counted)).scalar_one():
                    found[state] = count
            return found

        return await self._database.run(read, is_one_change=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()


def candidates(
    state: State, rows_before: datetime, keys_before: datetime, after: Position | None, limit: int
) -> Select[tuple[str, datetime, bool, bool]]:
    """Return the statement that looks at the oldest messages of a state, by their index.

    Rows that somebody else has locked are left to the next run: nobody waits for another.
    """
    columns = (messages.c.state, messages.c.first_seen_at, messages.c.id)
    statement = (
        select(
            messages.c.id,
            messages.c.first_seen_at,
            _is_due(rows_before).label("is_due"),
            _keeps_key(keys_before),
        )
        .where(_in(state, rows_before))
        .order_by(*columns)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if after:
        statement = statement.where(tuple_(*columns) > (state.value, after.at, after.id))
    return statement


def expired(keys_before: datetime, limit: int) -> Select[tuple[str]]:
    """Return the statement that finds the oldest tombstones, by their index."""
    return (
        select(messages.c.id)
        .where(PRUNED, messages.c.accepted_at < keys_before)
        .order_by(messages.c.accepted_at, messages.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _in(state: State, before: datetime) -> ColumnElement[bool]:
    # Not `state = ...`, for the reason that is given where messages are listed.
    columns = tuple_(messages.c.state, messages.c.first_seen_at)
    return and_(LISTED, columns >= (state.value, BEGINNING), columns < (state.value, before))


def _is_due(rows_before: datetime) -> ColumnElement[bool]:
    """Say whether a message is final, and every time that the ledger has of it is before.

    Not the latest step alone: whoever may send to the queue of receipts can date one back.
    """
    times = [messages.c[name] for name in ("first_seen_at", "state_at", *_TIMES)]
    before = [or_(time.is_(None), time < rows_before) for time in times]
    return and_(LISTED, messages.c.state.in_([state.value for state in FINAL]), *before)


def _keeps_key(keys_before: datetime) -> ColumnElement[bool]:
    c = messages.c
    return and_(c.fingerprint.is_not(None), c.accepted_at >= keys_before).label("keeps_key")


def _remove(ids: Sequence[str], condition: ColumnElement[bool]) -> Delete:
    return delete(messages).where(messages.c.id.in_(ids), condition)


def _bury(ids: Sequence[str], condition: ColumnElement[bool]) -> Update:
    """Leave a tombstone: id, fingerprint, state, and that and when it was accepted and queued."""
    gone = dict.fromkeys(_PERSONAL)
    values = {**gone, "pruned_at": datetime.now(UTC)}
    return update(messages).where(messages.c.id.in_(ids), condition).values(values)


async def _run(
    connection: AsyncConnection, statement: Delete | Update, ids: Sequence[object]
) -> int:
    return (await connection.execute(statement)).rowcount if ids else 0
