"""Transactions of one entity, begun and ended at the coordinator, without a connection."""

from __future__ import annotations

from uuid import UUID

import pytest

from local.bus.amqp import performatives as amqp
from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import (
    LOCK_LOST,
    NOT_ALLOWED,
    NOT_IMPLEMENTED,
    RESOURCE_LIMIT,
    TRANSACTION_TIMEOUT,
    UNKNOWN_TRANSACTION,
    AmqpError,
)
from local.bus.amqp.message import parse
from local.bus.amqp.values import Described, ULong, Value
from local.bus.broker.settlement import ACCEPTED
from local.bus.broker.transactions import MAX_OPEN, MAX_STEPS, TIMEOUT_SECONDS
from local.bus.server.coordinator import in_transaction
from local.bus.server.incoming import IncomingLink
from local.bus.server.link_factory import attach_link
from local.bus.server.outgoing import QueueReceiver
from tests.unit.local.bus.server.session import DATA, RECEIVER, SENDER, Session, attach, request


@pytest.fixture
def session() -> Session:
    made = Session()
    made.put_token()
    return made


def ask(session: Session, descriptor: int, *fields: Value) -> Described:
    """Send a message to the coordinator; return the outcome."""
    target = Described(ULong(0x30), [None])
    link = attach_link(session, amqp.Attach("controller", 0, SENDER, target=target))
    assert isinstance(link, IncomingLink)
    link.start()
    body = Described(ULong(0x77), Described(ULong(descriptor), list(fields)))
    link.on_transfer(amqp.Transfer(0, 1, b"t"), encode(body))
    return last_outcome(session)


def last_outcome(session: Session) -> Described:
    found = [one for one in session.sent if isinstance(one, amqp.Disposition)][-1]
    assert found.state is not None
    return found.state


def condition(outcome: Described) -> Value:
    assert outcome.descriptor == 0x25
    assert isinstance(outcome.value, list)
    error = outcome.value[0]
    assert isinstance(error, Described)
    assert isinstance(error.value, list)
    return error.value[0]


def declare(session: Session) -> bytes:
    declared = ask(session, 0x31, None)
    assert declared.descriptor == 0x33
    assert isinstance(declared.value, list)
    assert isinstance(declared.value[0], bytes)
    return declared.value[0]


def discharge(session: Session, transaction_id: bytes, *, fails: bool = False) -> Described:
    return ask(session, 0x32, transaction_id, fails)


def send(session: Session, transaction_id: bytes, queue: str = "plain") -> Described:
    link = attach_link(session, attach(queue, SENDER))
    assert isinstance(link, IncomingLink)
    link.start()
    state = Described(ULong(0x34), [transaction_id])
    link.on_transfer(amqp.Transfer(0, 2, b"t", 0, state=state), DATA)
    return last_outcome(session)


def receive(session: Session) -> tuple[QueueReceiver, UUID]:
    link = attach_link(session, attach("plain", RECEIVER))
    assert isinstance(link, QueueReceiver)
    link.on_flow(amqp.Flow(0, 10, 0, 10, 0, 0, 1))
    token = session.transfers[-1][0].delivery_tag
    assert token is not None
    return link, UUID(bytes_le=token)


def counts(session: Session, queue: str = "plain") -> tuple[int, int]:
    found = session.queue(queue).counts(session.now)
    return found.active, found.locked


@pytest.mark.parametrize("fails", [False, True])
def test_sends_and_settlements_happen_together_at_the_end(session: Session, fails: bool) -> None:
    session.queue().send(parse(DATA), session.now)
    link, token = receive(session)
    transaction_id = declare(session)
    assert send(session, transaction_id) == in_transaction(transaction_id, ACCEPTED)
    outcome = in_transaction(transaction_id, ACCEPTED)
    assert link.settle(token, outcome) == outcome
    assert counts(session) == (0, 1)
    assert discharge(session, transaction_id, fails=fails) == ACCEPTED
    assert counts(session) == ((0, 1) if fails else (1, 0))


def test_what_was_rolled_back_can_be_settled_otherwise(session: Session) -> None:
    session.queue().send(parse(DATA), session.now)
    link, token = receive(session)
    transaction_id = declare(session)
    link.settle(token, in_transaction(transaction_id, ACCEPTED))
    discharge(session, transaction_id, fails=True)
    assert link.settle(token, ACCEPTED) == ACCEPTED


def test_nothing_happens_where_a_part_cannot_any_more(session: Session) -> None:
    session.queue().send(parse(DATA), session.now)
    link, token = receive(session)
    transaction_id = declare(session)
    send(session, transaction_id)
    link.settle(token, in_transaction(transaction_id, ACCEPTED))
    session.now += 61
    assert condition(discharge(session, transaction_id)) == LOCK_LOST
    assert counts(session) == (1, 0)


def test_a_transaction_is_of_one_entity(session: Session) -> None:
    transaction_id = declare(session)
    send(session, transaction_id)
    assert condition(send(session, transaction_id, "retries")) == NOT_ALLOWED


def test_a_transaction_ends_once_and_in_time(session: Session) -> None:
    transaction_id = declare(session)
    session.now += TIMEOUT_SECONDS + 1
    assert condition(send(session, transaction_id)) == TRANSACTION_TIMEOUT
    for late in (discharge(session, transaction_id), send(session, b"unknown")):
        assert condition(late) == UNKNOWN_TRANSACTION


def test_no_client_makes_the_bus_hoard(session: Session) -> None:
    transaction_id = declare(session)
    for _ in range(MAX_STEPS):
        send(session, transaction_id)
    assert condition(send(session, transaction_id)) == RESOURCE_LIMIT
    for _ in range(MAX_OPEN - 1):
        declare(session)
    assert condition(ask(session, 0x31, None)) == RESOURCE_LIMIT
    session.now += 2 * TIMEOUT_SECONDS + 1
    declare(session)


@pytest.mark.parametrize(
    ("descriptor", "fields"), [(0x31, [b"global"]), (0x32, ["text"]), (0x32, []), (0x33, [])]
)
def test_anything_else_is_refused(session: Session, descriptor: int, fields: list[Value]) -> None:
    assert condition(ask(session, descriptor, *fields)) in (NOT_IMPLEMENTED, "amqp:invalid-field")


def test_neither_requests_nor_receiving_can_be_a_part_of_one(session: Session) -> None:
    link = attach_link(session, attach("plain/$management", SENDER))
    assert isinstance(link, IncomingLink)
    link.start()
    state = Described(ULong(0x34), [declare(session)])
    link.on_transfer(
        amqp.Transfer(0, 3, b"t", 0, state=state), request("com.microsoft:peek-message", {})
    )
    assert condition(last_outcome(session)) == NOT_IMPLEMENTED
    receiver = attach_link(session, attach("plain", RECEIVER))
    with pytest.raises(AmqpError, match="in a transaction"):
        receiver.on_flow(amqp.Flow(0, 1, 0, 1, 0, 0, 1, properties={"txn-id": b"x"}))
