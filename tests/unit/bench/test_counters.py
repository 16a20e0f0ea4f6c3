from __future__ import annotations

from bench.counters import Counters

USED = [
    {"operation": "send", "object": "messages", "count": 10, "kind": "queue"},
    {"operation": "receive", "object": "messages", "count": 9, "kind": "queue"},
    {"operation": "send", "object": "receipts", "count": 1, "kind": "queue"},
    {"operation": "encrypt", "object": "payload", "count": 2, "kind": "key"},
    {"operation": "decrypt", "object": "payload", "count": 3, "kind": "key"},
    {"operation": "get", "object": "partner-connection", "count": 4, "kind": "secret"},
]


def test_uses_of_one_object_by_several_identities_are_added() -> None:
    twice = Counters.from_used([USED[0], USED[0]])
    assert twice.uses == {("send", "messages"): 20}


def test_a_receive_is_two_operations_of_the_bus() -> None:
    assert Counters.from_used(USED).bus_operations == 10 + 1 + 2 * 9


def test_operations_of_the_vault_are_those_on_keys() -> None:
    assert Counters.from_used(USED).vault_operations == 5


def test_only_what_was_done_since_is_counted() -> None:
    before = Counters.from_used(USED)
    now = Counters.from_used([{**USED[0], "count": 17}, *USED[1:]])
    assert now.since(before).uses == {("send", "messages"): 7}
    assert str(now.since(before)) == "send messages 7"
