"""The tracker without a cloud: what it answers from a ledger, and from one that is away."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest
from azure.servicebus import ServiceBusMessage

from shared.apps.listing import counts_answer, entry_answer
from shared.apps.recorder import Recorder
from shared.apps.tracker import Tracker
from shared.apps.tracker_clients import TrackerClients
from shared.ledger.database import SecretDeniedError
from shared.ledger.entry import LedgerEntry, NewMessage, Position, StateCount
from shared.ledger.errors import AuthenticationFailedError, LedgerError, LedgerUnavailableError
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.telemetry.outages import Outages
from tests.unit.shared.ledger.entries import NOW, entry_of

UUID = "8e03978e-40d5-43dd-bc93-6894a57f9324"


class Ledger:
    """Has entries, or fails; and what it was asked."""

    def __init__(self) -> None:
        self.ids = [UUID, "a", "b", "c"]
        self.error: Exception | None = None
        self.asked: list[object] = []

    async def entry(self, message_id: str) -> LedgerEntry | None:
        self._ask(message_id)
        return _entry(message_id) if message_id in self.ids else None

    async def entries(
        self, state: State | None, after: Position | None, limit: int
    ) -> Sequence[LedgerEntry]:
        self._ask((state, after, limit))
        return [_entry(one) for one in self.ids[:limit]]

    async def counts(self) -> Sequence[StateCount]:
        self._ask("counts")
        return [StateCount(State.RETRYING, 3, NOW), StateCount(State.REJECTED, 0, None)]

    async def record(self, receipts: Sequence[Receipt]) -> None:
        pass

    def _ask(self, what: object) -> None:
        self.asked.append(what)
        if self.error:
            raise self.error


def _entry(message_id: str) -> LedgerEntry:
    return entry_of(NewMessage(message_id, "a/b", 7, NOW))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def tracker(ledger: Ledger) -> Tracker:
    async def set_aside(_: ServiceBusMessage) -> None:
        pass

    outages = Outages(logging.getLogger("test_tracker"))
    recorder = Recorder(ledger.record, set_aside, set_aside, 1.0, outages)
    return Tracker(TrackerClients(ledger, recorder, outages))


def asking(path: str, **parameters: str) -> func.HttpRequest:
    route = {"id": path}
    return func.HttpRequest("GET", "/", params=parameters, route_params=route, body=b"")


def content(response: func.HttpResponse) -> Any:
    return json.loads(response.get_body())


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("a", ["a"]),
        (UUID, [UUID]),
        # Whoever writes an id of ours in capitals means the same (RFC 9562 section 4).
        (UUID.upper(), [UUID.upper(), UUID]),
    ],
)
async def test_a_message_is_found_by_its_id(
    tracker: Tracker, ledger: Ledger, text: str, asked: list[str]
) -> None:
    response = await tracker.status(asking(text))
    assert (response.status_code, content(response)["id"]) == (200, text.lower())
    assert ledger.asked == asked


@pytest.mark.parametrize("text", ["A", "unknown", UUID.replace("8", "9")])
async def test_an_id_that_the_ledger_does_not_have_is_not_found(
    tracker: Tracker, text: str
) -> None:
    response = await tracker.status(asking(text))
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("text", ["", "planted id", "a/b", "x" * 81, "\x00"])
async def test_what_cannot_be_an_id_is_not_looked_for(
    tracker: Tracker, ledger: Ledger, text: str
) -> None:
    assert (await tracker.status(asking(text))).status_code == 404
    assert ledger.asked == []


async def test_messages_are_listed_page_by_page(tracker: Tracker, ledger: Ledger) -> None:
    response = await tracker.messages(asking("", state="accepted", limit="2"))
    assert response.status_code == 200
    assert [one["id"] for one in content(response)["messages"]] == [UUID, "a"]
    assert content(response)["next"]
    assert ledger.asked == [(State.ACCEPTED, None, 3)]
    assert content(await tracker.messages(asking("")))["next"] is None


async def test_the_states_are_counted_with_the_age_of_the_oldest(tracker: Tracker) -> None:
    response = await tracker.states(asking(""))
    assert response.status_code == 200
    answer = content(response)
    assert answer["count_limit"] == 10_000
    retrying = answer["states"]["retrying"]
    assert (retrying["messages"], retrying["oldest_at"]) == (3, NOW.isoformat())
    assert retrying["oldest_age_seconds"] > 0
    none = {"messages": 0, "oldest_at": None, "oldest_age_seconds": None}
    assert answer["states"]["rejected"] == none


def test_the_next_attempt_is_of_a_message_that_is_retried() -> None:
    entry = replace(entry_of(NewMessage("a", "a/b", 7, NOW)), next_attempt_at=NOW)
    assert content(entry_answer(entry))["next_attempt_at"] is None
    retried = replace(entry, state=State.RETRYING)
    assert content(entry_answer(retried))["next_attempt_at"] == NOW.isoformat()


def test_what_is_dated_ahead_has_no_age() -> None:
    counts = [StateCount(State.QUEUED, 1, NOW)]
    answer = content(counts_answer(counts, NOW - timedelta(seconds=5)))
    assert answer["states"]["queued"]["oldest_age_seconds"] == 0


async def test_a_wrong_query_does_not_reach_the_ledger(tracker: Tracker, ledger: Ledger) -> None:
    response = await tracker.messages(asking("", limit="planted"))
    assert response.status_code == 400
    assert "limit must be" in content(response)["detail"]
    assert ledger.asked == []


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (LedgerUnavailableError("planted"), 503, "5"),
        (LedgerUnavailableError("planted", retry_after=30.0), 503, "30"),
        (SecretDeniedError("planted"), 503, "5"),
        (AuthenticationFailedError("planted"), 503, "5"),
        (TimeoutError("planted"), 503, "5"),
        (LedgerError("planted"), 500, None),
        (ValueError("planted"), 500, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_a_ledger_that_fails_is_answered_by_a_problem(
    tracker: Tracker, ledger: Ledger, error: Exception, status: int, retry_after: str | None
) -> None:
    ledger.error = error
    for response in (
        await tracker.status(asking("a")),
        await tracker.messages(asking("")),
        await tracker.states(asking("")),
    ):
        assert response.status_code == status
        assert response.mimetype == "application/problem+json"
        assert response.headers.get("Retry-After") == retry_after
        assert "planted" not in str(content(response))


async def test_one_outage_is_one_line_in_the_log(
    tracker: Tracker, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ledger.error = LedgerUnavailableError("no answer")
    for _ in range(5):
        await tracker.status(asking("a"))
    ledger.error = None
    await tracker.messages(asking(""))
    outage, back = caplog.messages
    assert outage == "the ledger is away, until further notice: no answer"
    assert back.startswith("the ledger serves again")
