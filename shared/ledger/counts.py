"""How many messages are in each state, and how old the oldest is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Text, and_, cast, func, literal, select, union_all

from shared.ledger.entry import COUNT_LIMIT
from shared.ledger.table import LISTED, UtcTime, messages
from shared.message.state import State


def counts() -> Select[Any]:
    """Return the statement that counts the messages of each state, up to `COUNT_LIMIT` of each.

    A row a state: the state, the number, and when the oldest was first seen. The oldest come first
    in the index, so what it costs is bounded, however many have been delivered.
    """
    rows = union_all(*map(_of_state, State)).subquery()
    oldest = func.min(rows.c.first_seen_at, type_=UtcTime())
    return select(rows.c.state, func.count(), oldest).group_by(rows.c.state)


def _of_state(state: State) -> Select[Any]:
    # As in `backlog`: the range of an index in its order, and not `state = ...`, for which a
    # planner would read all rows where many have the state.
    columns = (messages.c.state, messages.c.first_seen_at)
    name = cast(literal(state.value), Text()).label("state")
    rows = (
        select(messages.c.first_seen_at)
        .where(and_(LISTED, messages.c.state >= state.value, messages.c.state <= state.value))
        .order_by(*columns)
        .limit(COUNT_LIMIT)
    ).subquery()
    return select(name, rows.c.first_seen_at)
