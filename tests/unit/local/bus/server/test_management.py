"""Operations by request and response, without a connection."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from local.bus.amqp.encoding import encode
from local.bus.amqp.message import application_properties, parse, value_body
from local.bus.amqp.values import Array, Described, Int, Long, ULong, Value
from local.bus.broker.address import parse_address
from local.bus.server.arguments import MAX_ITEMS
from local.bus.server.link import Link
from local.bus.server.management import MAX_PEEK_BYTES, management_node
from tests.unit.local.bus.server.session import DATA, SENDER, Session, attach, request

ADDRESS = parse_address("plain/$management")


@pytest.fixture
def session() -> Session:
    made = Session()
    made.put_token()
    return made


def ask(session: Session, operation: str, body: Value, address: str = "plain") -> tuple[int, Any]:
    """Return the status and the body of the response."""
    found = parse_address(f"{address}/$management")
    queue = session.namespace.find(found)
    assert queue is not None
    link = Link(session, attach(found.path, SENDER), found, None)
    management_node(queue)(link, None, request(f"com.microsoft:{operation}", body))
    reply = parse(session.replies[-1][2])
    status = application_properties(reply)["statusCode"]
    assert isinstance(status, int)
    return status, value_body(reply)


def locked(session: Session) -> UUID:
    queue = session.queue()
    queue.send(parse(DATA), session.now)
    entry = queue.receive(session.now)
    assert entry is not None
    assert entry.lock is not None
    return entry.lock.token


def tokens(*given: UUID) -> dict[Value, Value]:
    return {"lock-tokens": Array(0x98, given)}


def test_a_lock_is_renewed(session: Session) -> None:
    token = locked(session)
    session.now += 30
    status, body = ask(session, "renew-lock", tokens(token))
    assert (status, body["expirations"].items) == (200, (1_090_000,))


def test_peek_returns_a_page_and_no_content_at_the_end(session: Session) -> None:
    session.queue().send(parse(DATA), session.now)
    body: dict[Value, Value] = {"from-sequence-number": Long(0), "message-count": Int(9)}
    status, found = ask(session, "peek-message", body)
    assert (status, len(found["messages"])) == (200, 1)
    body["from-sequence-number"] = Long(2)
    assert ask(session, "peek-message", body) == (204, None)


def test_a_page_of_peek_is_bounded(session: Session) -> None:
    body = encode(Described(ULong(0x75), b"x" * (MAX_PEEK_BYTES // 2)))
    for _ in range(5):
        session.queue().send(parse(body), session.now)
    peek: dict[Value, Value] = {"from-sequence-number": Long(0), "message-count": Int(9)}
    _, found = ask(session, "peek-message", peek)
    assert len(found["messages"]) == 2


def test_schedule_and_cancel(session: Session) -> None:
    status, body = ask(session, "schedule-message", {"messages": [{"message": DATA}]})
    assert (status, body["sequence-numbers"].items) == (200, (1,))
    cancel: dict[Value, Value] = {"sequence-numbers": Array(0x81, (Long(1),))}
    assert ask(session, "cancel-scheduled-message", cancel)[0] == 404


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("peek-message", {"from-sequence-number": Long(1), "message-count": Int(1)}),
        ("schedule-message", {"messages": [{"message": DATA}]}),
        ("cancel-scheduled-message", {"sequence-numbers": Array(0x81, (1,))}),
    ],
)
def test_a_queue_that_forwards_is_neither_browsed_nor_scheduled_on(
    session: Session, operation: str, body: dict[Value, Value]
) -> None:
    session.queue("retries").send(parse(DATA), session.now)
    assert ask(session, operation, body, "retries")[0] == 400


def test_nothing_is_sent_to_a_dead_letter_queue(session: Session) -> None:
    body: Value = {"messages": [{"message": DATA}]}
    assert ask(session, "schedule-message", body, "plain/$deadletterqueue")[0] == 400


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("completed", (0, 0, 0)),
        ("abandoned", (1, 0, 0)),
        ("defered", (0, 1, 0)),
        ("suspended", (0, 0, 1)),
    ],
)
def test_a_disposition_by_lock_token(
    session: Session, status: str, counts: tuple[int, int, int]
) -> None:
    body: dict[Value, Value] = {**tokens(locked(session)), "disposition-status": status}
    assert ask(session, "update-disposition", body) == (200, {})
    found = session.queue().counts(session.now)
    assert (found.active, found.deferred, found.dead_lettered) == counts


def test_deferred_messages_are_received_locked_or_removed(session: Session) -> None:
    queue = session.queue()
    for _ in range(2):
        queue.defer(locked(session), session.now)
    body: dict[Value, Value] = {
        "sequence-numbers": Array(0x81, (Long(1),)),
        "receiver-settle-mode": Int(1),
    }
    status, found = ask(session, "receive-by-sequence-number", body)
    assert status == 200
    assert isinstance(found["messages"][0]["lock-token"], UUID)
    body = {"sequence-numbers": Array(0x81, (Long(2),)), "receiver-settle-mode": Int(0)}
    _, found = ask(session, "receive-by-sequence-number", body)
    assert "lock-token" not in found["messages"][0]
    assert len(queue.store) == 1


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("renew-lock", tokens(uuid4()), 410),
        ("renew-lock", {}, 400),
        ("renew-lock", {"lock-tokens": [uuid4()] * (MAX_ITEMS + 1)}, 400),
        ("renew-lock", "no map", 400),
        ("renew-lock", {"lock-tokens": [uuid4(), "a token"]}, 400),
        ("peek-message", {"from-sequence-number": True, "message-count": Int(1)}, 400),
        ("schedule-message", {"messages": [{"message": DATA}, {"message": "text"}]}, 400),
        ("schedule-message", {"messages": [{"message": DATA}, DATA]}, 400),
        ("schedule-message", {"messages": []}, 400),
        ("cancel-scheduled-message", {"sequence-numbers": [Long(1), "2"]}, 400),
        ("cancel-scheduled-message", {"sequence-numbers": [True]}, 400),
        ("receive-by-sequence-number", {"sequence-numbers": [Long(9)]}, 400),
        ("update-disposition", {**tokens(uuid4()), "disposition-status": 1}, 400),
        ("peek-message", {"from-sequence-number": Long(0), "message-count": Int(0)}, 400),
        ("schedule-message", {"messages": [{"message": b"garbage"}]}, 400),
        (
            "receive-by-sequence-number",
            {"sequence-numbers": [Long(9)], "receiver-settle-mode": Int(1)},
            404,
        ),
        ("update-disposition", {**tokens(uuid4()), "disposition-status": "else"}, 400),
        ("unknown", {}, 501),
    ],
)
def test_what_cannot_be_done_has_its_status(
    session: Session, operation: str, body: Value, status: int
) -> None:
    assert ask(session, operation, body)[0] == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadletter-reason": 1},
        {"deadletter-description": b"x"},
        {"properties-to-modify": []},
        {"properties-to-modify": {1: 1}},
    ],
)
def test_what_goes_with_a_disposition_has_a_type(
    session: Session, wrong: dict[Value, Value]
) -> None:
    body: dict[Value, Value] = {**tokens(locked(session)), "disposition-status": "suspended"}
    assert ask(session, "update-disposition", {**body, **wrong})[0] == 400
    assert session.queue().counts(session.now).locked == 1


@pytest.mark.parametrize(
    ("operation", "right"),
    [("renew-lock", "listen"), ("schedule-message", "send"), ("unknown", "listen")],
)
def test_each_operation_requires_its_right(session: Session, operation: str, right: str) -> None:
    session.access.rights = {"send", "listen"} - {right}  # type: ignore[assignment]
    assert ask(session, operation, {})[0] == 401
