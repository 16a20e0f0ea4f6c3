"""Outcomes on the wire, and what they do to the message they are for."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import DEAD_LETTER, INVALID_FIELD, AmqpError, LockLostError
from local.bus.amqp.message import application_properties, parse
from local.bus.amqp.values import Described, Symbol, ULong, Value
from local.bus.broker.entity import Counts
from local.bus.broker.queue import Queue
from local.bus.broker.settlement import DeliveryState, rejected, settle, text_of
from local.deployment.resources import QueueSpec


def state(code: int, *fields: Value) -> Described:
    return Described(ULong(code), list(fields))


def error(condition: str, description: Value = None, info: Value = None) -> Described:
    return Described(ULong(0x1D), [Symbol(condition), description, info])


def locked() -> tuple[Queue, UUID]:
    queue = Queue(QueueSpec("/queues/q", "q"))
    queue.send(parse(encode(Described(ULong(0x75), b"body"))), 0.0)
    entry = queue.receive(0.0)
    assert entry is not None
    assert entry.lock is not None
    return queue, entry.lock.token


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (state(DeliveryState.ACCEPTED), Counts(0, 0, 0, 0, 0)),
        (state(DeliveryState.RELEASED), Counts(1, 0, 0, 0, 0)),
        (state(DeliveryState.MODIFIED), Counts(1, 0, 0, 0, 0)),
        (state(DeliveryState.MODIFIED, None, False, None), Counts(1, 0, 0, 0, 0)),
        (state(DeliveryState.MODIFIED, None, True), Counts(0, 0, 1, 0, 0)),
        (state(DeliveryState.REJECTED), Counts(0, 0, 0, 0, 1)),
    ],
)
def test_an_outcome_is_applied_and_confirmed(outcome: Described, counts: Counts) -> None:
    queue, token = locked()
    answer = settle(queue, token, outcome, 1.0)
    assert answer is not None
    assert answer.descriptor == outcome.descriptor
    assert queue.counts(1.0) == counts


def test_received_is_not_an_outcome() -> None:
    queue, token = locked()
    assert settle(queue, token, state(DeliveryState.RECEIVED), 1.0) is None
    assert queue.counts(1.0).locked == 1


@pytest.mark.parametrize("code", [0x22, 0x28, 0x1D])
def test_an_unknown_outcome_is_an_error(code: int) -> None:
    queue, token = locked()
    with pytest.raises(AmqpError) as refused:
        settle(queue, token, state(code), 1.0)
    assert refused.value.condition == INVALID_FIELD


@pytest.mark.parametrize(
    "code", [one for one in DeliveryState if one is not DeliveryState.RECEIVED]
)
def test_no_outcome_is_applied_without_the_lock(code: int) -> None:
    queue, _ = locked()
    with pytest.raises(LockLostError):
        settle(queue, uuid4(), state(code), 1.0)


@pytest.mark.parametrize(
    ("given", "properties"),
    [
        (error("my:reason", "why"), {"DeadLetterReason": "my:reason"}),
        (
            error(DEAD_LETTER, "ignored", {"DeadLetterReason": "r", "a": 1}),
            {"DeadLetterReason": "r", "a": 1},
        ),
        (error(DEAD_LETTER), {}),
        (None, {}),
        ("nonsense", {}),
        (error("my:reason", 7, [1]), {"DeadLetterReason": "my:reason"}),
    ],
)
def test_the_reason_is_in_the_info_or_else_the_error(
    given: Value, properties: dict[str, Value]
) -> None:
    queue, token = locked()
    settle(queue, token, state(DeliveryState.REJECTED, given), 1.0)
    assert queue.dead_letters is not None
    (dead,) = queue.dead_letters.store
    found = application_properties(dead.message)
    found.pop("DeadLetterErrorDescription", None)
    assert found == properties


def test_changes_become_application_properties() -> None:
    queue, token = locked()
    settle(queue, token, state(DeliveryState.MODIFIED, None, False, {"a": 1, 2: "b"}), 1.0)
    (entry,) = queue.store
    assert application_properties(entry.message) == {"a": 1}
    assert entry.delivery_count == 1


def test_a_rejection_of_the_bus_carries_its_error() -> None:
    answer = rejected(LockLostError())
    assert isinstance(answer.value, list)
    assert answer.value == [LockLostError().wire()]
    assert rejected(None).value == [None]


def test_only_text_is_text() -> None:
    assert text_of("a") == "a"
    assert text_of(b"a") is None
