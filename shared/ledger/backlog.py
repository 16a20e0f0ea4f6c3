"""How much is under way: what is on the queue of messages, or waits for the partner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, tuple_, union_all

from shared.ledger.table import LISTED, messages
from shared.message.state import State

# Not `accepted`: such a message is not on its queue yet, and never gets there where that failed.
_UNDER_WAY = (State.QUEUED, State.RETRYING)


def backlog(since: datetime, limit: int) -> Select[Any]:
    """Return the statement that counts what was first seen after `since`, up to `limit` a state.

    One row: the number of messages, and the sum of their sizes.
    """
    rows = union_all(*(_of_state(state, since, limit) for state in _UNDER_WAY)).subquery()
    return select(func.count(), func.coalesce(func.sum(rows.c.size), 0))


def _of_state(state: State, since: datetime, limit: int) -> Select[Any]:
    # As in `some_entries`: the range of an index in its order, and not `state = ...`, for which a
    # planner would read all rows where many have the state. The oldest first: they stay.
    columns = (messages.c.state, messages.c.first_seen_at)
    rows = (
        select(messages.c.size)
        .where(LISTED, tuple_(*columns) > (state.value, since), messages.c.state <= state.value)
        .order_by(*columns)
        .limit(limit)
    )
    return select(rows.subquery().c.size)
