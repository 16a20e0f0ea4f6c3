"""What a receiver gets of an entry."""

from __future__ import annotations

from uuid import UUID

import pytest

from local.bus.amqp.decoding import decode
from local.bus.amqp.encoding import encode
from local.bus.amqp.message import parse
from local.bus.amqp.values import Described, ULong, Value
from local.bus.broker.delivery import encode_entry
from local.bus.broker.entry import EntryState, QueueEntry

MESSAGE = parse(encode(Described(ULong(0x75), b"body")))


def sections(data: bytes) -> dict[Value, Value]:
    found: dict[Value, Value] = {}
    offset = 0
    while offset < len(data):
        section, offset = decode(data, offset)
        assert isinstance(section, Described)
        found[section.descriptor] = section.value
    return found


def test_it_says_what_the_queue_knows_of_it() -> None:
    entry = QueueEntry(
        3, MESSAGE, 100.5, delivery_count=2, enqueued_sequence_number=1, dead_letter_source="q"
    ).locked(UUID(int=7), 130.0)
    found = sections(encode_entry(entry))
    header = found[0x70]
    assert isinstance(header, list)
    assert header[4] == 2
    assert found[0x71] == {"x-opt-lock-token": UUID(int=7)}
    assert found[0x72] == {
        "x-opt-sequence-number": 3,
        "x-opt-enqueued-time": 100_500,
        "x-opt-locked-until": 130_000,
        "x-opt-deadletter-source": "q",
        "x-opt-enqueue-sequence-number": 1,
    }
    assert found[0x75] == b"body"


@pytest.mark.parametrize("state", [EntryState.DEFERRED, EntryState.SCHEDULED])
def test_a_state_is_only_written_where_it_is_not_active(state: EntryState) -> None:
    annotations = sections(encode_entry(QueueEntry(3, MESSAGE, 100.0, state)))[0x72]
    assert isinstance(annotations, dict)
    assert annotations["x-opt-message-state"] == state


def test_without_a_lock_it_says_nothing_of_one() -> None:
    found = sections(encode_entry(QueueEntry(3, MESSAGE, 100.0)))
    assert 0x71 not in found
    annotations = found[0x72]
    assert isinstance(annotations, dict)
    assert "x-opt-locked-until" not in annotations
