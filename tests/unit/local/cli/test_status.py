"""The tables of a status, without a cloud."""

from __future__ import annotations

import pytest

from local.cli.client import RequestRefusedError
from local.cli.status import status_tables
from local.cli.tables import lines_of

COUNTS = {"active": 12, "scheduled": 0, "deferred": 0, "locked": 1, "dead_lettered": 3}
STATUS: dict[str, object] = {
    "apps": {
        "sender": {"url": "http://127.0.0.1:7071", "state": "up"},
        "tracker": {"url": None, "state": "ended (1)"},
    },
    "machines": {},
    "queues": {"messages": COUNTS, "dead-letters": COUNTS},
    "keys": {"payload-local/payload": ["a" * 32, "b" * 32]},
}


def words(status: dict[str, object]) -> list[list[str]]:
    return [line.split() for made in status_tables(status) for line in lines_of(made)]


def test_each_kind_has_a_table_and_empty_ones_are_left_out() -> None:
    assert words(STATUS) == [
        ["app", "state", "URL"],
        ["sender", "up", "http://127.0.0.1:7071"],
        ["tracker", "ended", "(1)", "-"],
        ["queue", "active", "scheduled", "deferred", "locked", "dead", "lettered"],
        ["messages", "12", "0", "0", "1", "3"],
        ["dead-letters", "12", "0", "0", "1", "3"],
        ["key", "versions", "newest"],
        ["payload-local/payload", "2", "b" * 32],
    ]


def test_machines_are_shown_with_their_identities() -> None:
    machine = {"url": "http://127.0.0.1:7081", "identities": ["its own", "database-local"]}
    shown = words(STATUS | {"machines": {"reader": machine}})
    assert ["reader", "its", "own,", "database-local", "http://127.0.0.1:7081"] in shown


def test_the_tables_fit_into_80_columns() -> None:
    assert max(len(line) for made in status_tables(STATUS) for line in lines_of(made)) <= 80


def test_an_answer_of_another_form_is_refused() -> None:
    with pytest.raises(RequestRefusedError, match="unknown form"):
        status_tables(STATUS | {"apps": []})
