"""The ledger's table, and the one statement that writes it.

Updates of a message arrive in any order and more than once. So nothing is ever overwritten: the
database itself merges each update into the row, so that any order of the same updates gives the
same row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Index,
    Insert,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    null,
    or_,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement
from sqlalchemy.types import TypeEngine

from shared.message.state import State

_Columns = (
    ReadOnlyColumnCollection[str, Column[Any]]
    | ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
)


class UtcTime(TypeDecorator[datetime]):
    """A moment: `timestamptz` in PostgreSQL, in SQLite a text that sorts as the moments do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        return Text() if dialect.name == "sqlite" else self.impl_instance

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write one; a time without its offset is ambiguous and refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the ledger must have its offset")
        moment = value.astimezone(UTC)
        return _sorting_text(moment) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read one, in UTC."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value)
        moment: datetime = value
        return moment.astimezone(UTC)


def _sorting_text(moment: datetime) -> str:
    # Not by strftime, which writes the year 500 with three digits.
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


IS_PROVEN = "is_proven"
"""The parameter of an update beside its columns: whether it may change what is delivered."""

metadata = MetaData()
messages = Table(
    "messages",
    metadata,
    Column("id", Text(), primary_key=True),
    Column("state", Text(), nullable=False),
    Column("content_type", Text()),
    Column("size", BigInteger()),
    Column("key_version", Text()),
    Column("attempts", BigInteger(), nullable=False),
    Column("replay", BigInteger(), nullable=False),
    Column("detail", Text()),
    Column("state_at", UtcTime(), nullable=False),  # when the state was reached, as the update says
    # When the row was made; lists are ordered by it, so it never changes.
    Column("first_seen_at", UtcTime(), nullable=False),
    Column("accepted_at", UtcTime()),
    Column("queued_at", UtcTime()),
    Column("retrying_at", UtcTime()),
    Column("delivered_at", UtcTime()),
    Column("rejected_at", UtcTime()),
    Column("fingerprint", LargeBinary()),
    Column("dropped_at", UtcTime()),
    # When all was removed from the row but what keeps its Idempotency-Key from sending twice.
    Column("pruned_at", UtcTime()),
    Column("next_attempt_at", UtcTime()),  # of the state: when a message that is retried is due
)
LISTED = messages.c.pruned_at.is_(None)
"""The condition of the indexes of messages that are listed: all but tombstones."""

PRUNED = messages.c.pruned_at.is_not(None)
"""The condition of the index of tombstones."""


def _index(name: str, condition: ColumnElement[bool], *columns: ColumnElement[Any]) -> None:
    Index(name, *columns, postgresql_where=condition, sqlite_where=condition)


_index("messages_by_time", LISTED, messages.c.first_seen_at, messages.c.id)
_index("messages_by_state", LISTED, messages.c.state, messages.c.first_seen_at, messages.c.id)
_index("messages_pruned", PRUNED, messages.c.accepted_at, messages.c.id)


_FINAL: ColumnElement[str] = literal_column(f"'{State.DELIVERED}'")


def upsert(dialect: str) -> Insert:
    """Return the statement that merges one update, a value for each column, into its row.

    The state with what belongs to it goes to the later one by replay, rank, attempts and time;
    `delivered` is final, of two deliveries the first counts, and what is not proven changes nothing
    any more. A tombstone changes with its state only: a repeated request does not fill it again.
    Times are kept whatever the order: the first `queued` and `delivered`, the last `retrying`,
    `rejected` and `dropped`. Acceptance, and with it the fingerprint, is of the first update.
    """
    return merged(insert_into(dialect), bindparam(IS_PROVEN, type_=Boolean()))


def merged(
    insert: postgresql.Insert | sqlite.Insert, is_proven: ColumnElement[bool]
) -> postgresql.Insert | sqlite.Insert:
    """Return the statement that merges what `insert` inserts, as `upsert` does."""
    old, new = messages.c, insert.excluded
    later = _is_later(old, new)
    state = {
        name: case((later, new[name]), else_=old[name])
        for name in ("state", "attempts", "replay", "detail", "state_at", "next_attempt_at")
    }
    first = {name: _first(old[name], new[name]) for name in ("queued_at", "delivered_at")}
    last = {
        name: _last(old[name], new[name]) for name in ("retrying_at", "rejected_at", "dropped_at")
    }
    # What the sender accepted takes precedence over what receipts say of it.
    accepts = and_(old.accepted_at.is_(None), new.accepted_at.is_not(None))
    facts = {
        name: case((accepts, new[name]), else_=func.coalesce(old[name], new[name]))
        for name in ("accepted_at", "content_type", "size")
    }
    changes: dict[str, ColumnElement[Any]] = {
        **state,
        **first,
        **last,
        **facts,
        "key_version": case(
            (later, func.coalesce(new.key_version, old.key_version)),
            else_=func.coalesce(old.key_version, new.key_version),
        ),
        # Never into a row that somebody accepted without one: it would become another caller's.
        "fingerprint": case((old.accepted_at.is_(None), new.fingerprint), else_=old.fingerprint),
        # Whatever gives a tombstone another state makes it a message that is pruned in its turn.
        "pruned_at": null(),
    }
    # Whoever may send to a queue can have a message under any id fail to open.
    may_change = or_(is_proven, old.state != _FINAL)
    gets_key_version = and_(old.key_version.is_(None), new.key_version.is_not(None))
    differs = [changes[name].is_distinct_from(old[name]) for name in (*first, *last, *facts)]
    return insert.on_conflict_do_update(
        index_elements=[messages.c.id],
        set_=changes,
        where=and_(may_change, or_(later, and_(LISTED, or_(gets_key_version, *differs)))),
    )


def insert_into(dialect: str) -> postgresql.Insert | sqlite.Insert:
    """Return the statement that inserts into the table, in a dialect that can merge."""
    return postgresql.insert(messages) if dialect == "postgresql" else sqlite.insert(messages)


def _is_later(old: _Columns, new: _Columns) -> ColumnElement[bool]:
    was, becomes = old.state == _FINAL, new.state == _FINAL
    return or_(
        and_(~was, becomes),
        and_(~was, _precedence(new) > _precedence(old)),
        and_(was, becomes, _delivery(new) < _delivery(old)),
    )


def _precedence(row: _Columns) -> ColumnElement[Any]:
    rank = case(
        *(
            (row.state == literal_column(f"'{state}'"), literal_column(str(rank)))
            for rank, state in enumerate(State)
        )
    )
    return tuple_(row.replay, rank, row.attempts, row.state_at)


def _delivery(row: _Columns) -> ColumnElement[Any]:
    return tuple_(row.state_at, row.replay, row.attempts)


def _first(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((or_(old.is_(None), new < old), new), else_=old)


def _last(old: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((or_(old.is_(None), new > old), new), else_=old)
