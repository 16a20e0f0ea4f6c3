"""What the tracker can be asked, and how it answers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.apps.failures import InvalidRequestError
from shared.apps.listing import Query, entry_answer
from shared.ledger.entry import LedgerEntry, NewMessage, Position
from shared.message.state import State
from tests.unit.shared.ledger.entries import NOW, entry_of


def entry(message_id: str = "mine") -> LedgerEntry:
    return entry_of(NewMessage(message_id, "a/b", 7, NOW, b"planted"))


def content(response: Any) -> Any:
    assert response.mimetype == "application/json"
    return json.loads(response.get_body())


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({}, Query(None, None, 50)),
        ({"code": "a-key", "Code": "a-key"}, Query(None, None, 50)),
        ({"state": "rejected"}, Query(State.REJECTED, None, 50)),
        ({"limit": "1"}, Query(None, None, 1)),
        ({"limit": "200"}, Query(None, None, 200)),
        ({"limit": "007"}, Query(None, None, 7)),
        (
            {"after": "2026-01-01T00:00:00+00:00~mine", "state": "queued", "limit": "9"},
            Query(State.QUEUED, Position(NOW, "mine"), 9),
        ),
        ({"after": "2026-01-01T02:00:00+02:00~mine"}, Query(None, Position(NOW, "mine"), 50)),
    ],
)
def test_a_query_is_read_with_its_defaults(parameters: dict[str, str], query: Query) -> None:
    assert Query.from_parameters(parameters) == query


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        *(
            ({name: "1"}, "a parameter of the query is unknown; there are state, after and limit")
            for name in ("planted", "STATE", "x-functions-key", "codes", "", "a" * 100)
        ),
        ({"state": "rejected", "planted": "1"}, "a parameter of the query is unknown"),
        (
            {"state": ""},
            "state must be one of accepted, queued, retrying, rejected, dropped, delivered",
        ),
        ({"state": "Rejected"}, "state must be one of"),
        ({"state": "planted"}, "state must be one of"),
        *(
            ({"limit": limit}, "limit must be a whole number from 1 to 200")
            for limit in ("", "0", "201", "-1", "1.5", "1e2", " 5", "\u0665", "1" * 5000, "planted")
        ),
        *(
            ({"after": after}, "after must be taken from the link to the next page")
            for after in (
                "",
                "~",
                "planted",
                "2026-01-01T00:00:00+00:00",
                "2026-01-01T00:00:00+00:00~",
                "2026-01-01T00:00:00~mine",
                "2026-13-01T00:00:00+00:00~mine",
                "0001-01-01T00:00:00+23:59~mine",
                "2026-01-01T00:00:00+00:00~not an id",
            )
        ),
    ],
)
def test_a_query_that_cannot_be_answered_says_what_to_ask_instead(
    parameters: dict[str, str], detail: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        Query.from_parameters(parameters)
    assert raised.value.problem.status == 400
    assert raised.value.problem.detail.startswith(detail)
    assert "planted" not in raised.value.problem.detail


@pytest.mark.parametrize("state", [None, State.REJECTED])
def test_a_page_that_is_not_the_last_links_to_the_next(state: State | None) -> None:
    query = Query(state, None, 2)
    body = content(query.page([entry("a"), entry("b"), entry("c")]))
    assert [one["id"] for one in body["messages"]] == ["a", "b"]
    link = urlsplit(body["next"])
    assert link.path == "/api/messages"
    following = Query.from_parameters(dict(parse_qsl(link.query)))
    assert following == Query(state, Position(NOW, "b"), 2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_last_page_links_to_nothing(count: int) -> None:
    body = content(Query(limit=2).page([entry(str(number)) for number in range(count)]))
    assert (len(body["messages"]), body["next"]) == (count, None)


def test_an_entry_is_answered_with_its_times_and_without_its_fingerprint() -> None:
    later = NOW + timedelta(seconds=5)
    body = content(entry_answer(replace(entry(), state=State.DELIVERED, delivered_at=later)))
    assert body == {
        "id": "mine",
        "state": "delivered",
        "attempts": 0,
        "detail": None,
        "next_attempt_at": None,
        "content_type": "a/b",
        "size": 7,
        "key_version": None,
        "times": {
            "accepted": "2026-01-01T00:00:00+00:00",
            "delivered": "2026-01-01T00:00:05+00:00",
        },
    }


def test_a_position_keeps_its_moment_whatever_its_offset() -> None:
    at = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    query = Query.from_parameters({"after": f"{at.isoformat()}~mine"})
    assert query.after == Position(NOW, "mine")
    assert query.after.at.tzinfo is UTC
