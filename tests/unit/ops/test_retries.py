"""What waits for its next attempt, as operators name it and see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ops.retries import WaitingSelection
from ops.retries_listing import listed, show_table
from shared.message.waiting import WaitingMessage
from tests.unit.shared.message.peeked import NOW, peeked

PROPERTIES = {
    "relay-attempts": "3",
    "relay-waits-for": "attempt",
    "relay-detail": "it answered \x1b[31m503",
    "relay-accepted-at": "2026-11-26T10:00:00+00:00",
}


def waiting(number: int, properties: dict[str, str] | None = None) -> WaitingMessage:
    found = WaitingMessage.from_peeked(peeked(number, properties=properties))
    assert found
    return found


@pytest.mark.parametrize(
    ("names", "wanted", "missing"),
    [
        ([], [True, True], []),
        (["id-1"], [True, False], []),
        (["#2"], [False, True], []),
        (["id-1", "#1", "#9", "id-3"], [True, False], ["#9", "id-3"]),
    ],
)
def test_waiting_messages_are_named_by_id_or_by_number(
    names: list[str], wanted: list[bool], missing: list[str]
) -> None:
    selection = WaitingSelection(frozenset(names))
    assert [selection(waiting(1)), selection(waiting(2))] == wanted
    assert selection.missing == missing


def test_what_a_script_reads_of_a_waiting_message() -> None:
    assert listed(waiting(7, PROPERTIES), NOW) == {
        "id": "id-7",
        "message_id": waiting(7).bus_id,
        "sequence_number": 7,
        "attempts": 3,
        "waits_for": "attempt",
        "detail": "it answered \x1b[31m503",
        "accepted_at": "2026-11-26T10:00:00+00:00",
        "age_seconds": 7200,
        "due_at": "2026-11-26T13:00:00+00:00",
        "due_in_seconds": 3600,
        "size": 6,
    }


def test_what_is_not_known_of_a_message_is_none() -> None:
    found = listed(waiting(7), NOW + timedelta(hours=2))
    assert (found["waits_for"], found["accepted_at"], found["age_seconds"]) == (None, None, None)
    assert found["due_in_seconds"] == 0


def test_the_table_says_how_old_which_attempt_when_and_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table([waiting(7, PROPERTIES), waiting(8)], NOW)
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert ["#7", "3", "2h", "0m", "1h", "0m", "id-7"] in lines
    assert ["#8", "0", "-", "1h", "0m", "id-8"] in lines
    assert "attempt: it answered \\x1b[31m503" in out
