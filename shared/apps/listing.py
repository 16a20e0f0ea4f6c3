"""What a caller asks the tracker for, and how it is answered: decisions, without I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import azure.functions as func

from shared.apps.failures import InvalidRequestError
from shared.ledger.entry import COUNT_LIMIT, LedgerEntry, Position, StateCount
from shared.message.message_id import is_message_id
from shared.message.state import State

_PAGE = 50
_LONGEST_PAGE = 200
_PARAMETERS = frozenset({"state", "after", "limit"})


@dataclass(frozen=True)
class Query:
    """Which entries of the ledger: those of a state, from behind one on, at most `limit`."""

    state: State | None = None
    after: Position | None = None
    limit: int = _PAGE

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Query:
        """Read the parameters of a request. Raises `InvalidRequestError`."""
        # `code` is the host's: a caller's key, for those who cannot send a header.
        given = {name for name in parameters if name.lower() != "code"}
        if given - _PARAMETERS:
            # Not named: who mistypes a query may have put a key where a name belongs.
            raise _invalid("a parameter of the query is unknown; there are state, after and limit")
        return cls(
            _state(parameters.get("state")),
            _position(parameters.get("after")),
            _limit(parameters.get("limit")),
        )

    def page(self, entries: Sequence[LedgerEntry]) -> func.HttpResponse:
        """Answer with a page of entries; the last of `limit + 1` shows that there is a next page.

        A page goes on after a message, not after a count of them: what arrives meanwhile moves
        nothing from one page to another.
        """
        page = entries[: self.limit]
        more = self._link(page[-1].position) if len(entries) > self.limit else None
        return _json({"messages": [_public(entry) for entry in page], "next": more})

    def _link(self, last: Position) -> str:
        query: dict[str, str] = {"state": self.state} if self.state else {}
        query |= {"after": f"{last.at.isoformat()}~{last.id}", "limit": str(self.limit)}
        return f"/api/messages?{urlencode(query)}"


def entry_answer(entry: LedgerEntry) -> func.HttpResponse:
    """Answer with one entry."""
    return _json(_public(entry))


def counts_answer(counts: Sequence[StateCount], now: datetime) -> func.HttpResponse:
    """Answer with how many messages are in each state, and how old the oldest of them is."""
    states = {
        one.state: {
            "messages": one.messages,
            "oldest_at": one.oldest_at and one.oldest_at.isoformat(),
            "oldest_age_seconds": one.oldest_at and _age(one.oldest_at, now),
        }
        for one in counts
    }
    return _json({"states": states, "count_limit": COUNT_LIMIT})


def _age(at: datetime, now: datetime) -> float:
    # Clocks differ: what was written a moment ago is not of the future.
    return round(max((now - at).total_seconds(), 0.0), 3)


def _public(entry: LedgerEntry) -> dict[str, Any]:
    times = {
        "accepted": entry.accepted_at,
        "queued": entry.queued_at,
        "retrying": entry.retrying_at,
        "rejected": entry.rejected_at,
        "dropped": entry.dropped_at,
        "delivered": entry.delivered_at,
    }
    # An older version that takes a step further leaves the time of the step before.
    due = entry.next_attempt_at if entry.state is State.RETRYING else None
    return {
        "id": entry.id,
        "state": entry.state,
        "attempts": entry.attempts,
        "detail": entry.detail,
        "next_attempt_at": due and due.isoformat(),
        "content_type": entry.content_type,
        "size": entry.size,
        "key_version": entry.key_version,
        "times": {state: time.isoformat() for state, time in times.items() if time},
    }


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    if text not in set(State):
        raise _invalid(f"state must be one of {', '.join(State)}")
    return State(text)


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10) or not (
        1 <= int(text) <= _LONGEST_PAGE
    ):
        raise _invalid(f"limit must be a whole number from 1 to {_LONGEST_PAGE}")
    return int(text)


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    time, _, message_id = text.partition("~")
    try:
        at = datetime.fromisoformat(time)
        if at.tzinfo is not None and is_message_id(message_id):
            return Position(at.astimezone(UTC), message_id)
    except (ValueError, OverflowError):
        pass
    raise _invalid("after must be taken from the link to the next page")


def _invalid(detail: str) -> InvalidRequestError:
    return InvalidRequestError(HTTPStatus.BAD_REQUEST, detail)


def _json(body: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), mimetype="application/json")
