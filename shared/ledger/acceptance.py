"""Accepting any number of new messages in one statement, which returns what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Row,
    Select,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from shared.ledger.entry import LedgerEntry, NewMessage
from shared.ledger.table import insert_into, merged, messages
from shared.message.state import State

COLUMNS: list[Column[Any]] = [messages.c[name] for name in LedgerEntry.__dataclass_fields__]
"""The columns of an entry."""

_GIVEN = (messages.c.id, *(messages.c[name] for name in ("content_type", "size", "fingerprint")))
_MOMENTS = tuple(messages.c[name] for name in ("accepted_at", "state_at", "first_seen_at"))


async def accept_all(connection: AsyncConnection, new: Sequence[NewMessage]) -> Sequence[Row[Any]]:
    """Write new messages; return a row for each of their ids, of this message or an earlier one.

    Of two with one id the first counts: a statement of PostgreSQL may write a row only once, and
    the second would change nothing that anybody reads.
    """
    by_id: dict[str, NewMessage] = {}
    for message in new:
        by_id.setdefault(message.id, message)
    # In the order of their ids: two processes that lock each other's rows would deadlock.
    ordered = [by_id[message_id] for message_id in sorted(by_id)]
    dialect = connection.dialect.name
    values = _arrays(ordered) if dialect == "postgresql" else _rows(ordered)
    rows = list(await connection.execute(acceptance(dialect), values))
    # Not returned is what the statement leaves as it is.
    missing = sorted(by_id.keys() - {row.id for row in rows})
    return [*rows, *await connection.execute(*_found(dialect, missing))] if missing else rows


@cache
def acceptance(dialect: str) -> ReturningInsert[Any]:
    """Return the statement that writes new messages.

    PostgreSQL gets a list for each column, so that it is the same statement, prepared once, for any
    number of them. SQLite, to which no statement travels, gets a row of VALUES for each.
    """
    insert = insert_into(dialect)
    if dialect == "postgresql":
        lists = (bindparam(column.name, type_=ARRAY(column.type)) for column in _PARAMETERS)
        given = func.unnest(*lists).table_valued(*_PARAMETERS, name="given").render_derived()
        moments = (given.c.accepted_at for _ in _MOMENTS)
        constants: list[ColumnElement[Any]]
        constants = [literal_column(repr(value)) for value in _CONSTANTS.values()]
        taken = (given.c[column.name] for column in _GIVEN)
        names = [column.name for column in (*_GIVEN, *_MOMENTS)]
        insert = insert.from_select([*names, *_CONSTANTS], select(*taken, *moments, *constants))
    return merged(insert, true()).returning(*COLUMNS)


_PARAMETERS = (*_GIVEN, messages.c.accepted_at)
_CONSTANTS = {"state": State.ACCEPTED.value, "attempts": 0, "replay": 0}


def _arrays(new: Sequence[NewMessage]) -> dict[str, list[Any]]:
    return {column.name: [getattr(one, column.name) for one in new] for column in _PARAMETERS}


def _rows(new: Sequence[NewMessage]) -> list[dict[str, Any]]:
    return [
        {
            **_CONSTANTS,
            **{column.name: getattr(one, column.name) for column in _GIVEN},
            **{column.name: one.accepted_at for column in _MOMENTS},
        }
        for one in new
    ]


def _found(dialect: str, ids: Sequence[str]) -> tuple[Select[Any], dict[str, Any]]:
    if dialect == "postgresql":  # the same statement for any number, as above
        listed = messages.c.id == any_(bindparam("ids", type_=ARRAY(messages.c.id.type)))
        return select(*COLUMNS).where(listed), {"ids": ids}
    return select(*COLUMNS).where(messages.c.id.in_(ids)), {}
