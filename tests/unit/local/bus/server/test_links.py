"""Links in both directions: `incoming`, `outgoing` and `link_factory`, without a connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import NOT_ALLOWED, NOT_FOUND, NOT_IMPLEMENTED, UNAUTHORIZED, AmqpError
from local.bus.amqp.message import parse
from local.bus.amqp.values import Described, Symbol, ULong, Value
from local.bus.broker.address import Address
from local.bus.server.incoming import CREDIT, IncomingLink
from local.bus.server.link import Link
from local.bus.server.link_factory import attach_link, refuse_link
from local.bus.server.outgoing import QueueReceiver, ReplyLink
from tests.unit.local.bus.server.session import DATA, RECEIVER, SENDER, Session, attach


@pytest.fixture
def session() -> Session:
    made = Session()
    made.put_token()
    return made


def incoming(session: Session) -> IncomingLink:
    link = attach_link(session, attach("plain", SENDER))
    assert isinstance(link, IncomingLink)
    link.start()
    return link


def receiver(session: Session, credit: int = 10) -> QueueReceiver:
    link = attach_link(session, attach("plain", RECEIVER))
    assert isinstance(link, QueueReceiver)
    link.on_flow(amqp.Flow(0, 10, 0, 10, 0, 0, credit))
    return link


def outcome(session: Session) -> int:
    (disposition,) = [one for one in session.sent if isinstance(one, amqp.Disposition)]
    assert disposition.state is not None
    assert isinstance(disposition.state.descriptor, int)
    return disposition.state.descriptor


@pytest.mark.parametrize(
    ("address", "role", "kind"),
    [
        ("plain", SENDER, IncomingLink),
        ("plain", RECEIVER, QueueReceiver),
        ("plain/$deadletterqueue", RECEIVER, QueueReceiver),
        ("$cbs", SENDER, IncomingLink),
        ("$cbs", RECEIVER, ReplyLink),
        ("plain/$management", SENDER, IncomingLink),
        ("plain/$management", RECEIVER, ReplyLink),
    ],
)
def test_an_attach_becomes_a_link_and_is_answered(
    session: Session, address: str, role: bool, kind: type[Link]
) -> None:
    assert type(attach_link(session, attach(address, role))) is kind
    (answer,) = session.sent
    assert isinstance(answer, amqp.Attach)
    assert answer.role is not role


@pytest.mark.parametrize(
    ("address", "role", "condition"),
    [
        ("nowhere", SENDER, NOT_FOUND),
        ("nowhere/$management", SENDER, NOT_FOUND),
        ("plain/$deadletterqueue", SENDER, NOT_ALLOWED),
        ("retries", RECEIVER, NOT_ALLOWED),
    ],
)
def test_what_cannot_be_attached_is_an_error(
    session: Session, address: str, role: bool, condition: str
) -> None:
    with pytest.raises(AmqpError) as refused:
        attach_link(session, attach(address, role))
    assert refused.value.condition == condition
    assert session.sent == []


@pytest.mark.parametrize("wanted", ["one", None, Described(Symbol("filter"), "one")])
def test_a_session_receiver_is_refused_on_a_queue_without_sessions(
    session: Session, wanted: Value
) -> None:
    source: list[Value] = ["plain", *[None] * 6, {Symbol("com.microsoft:session-filter"): wanted}]
    asked = replace(attach("plain", RECEIVER), source=Described(ULong(0x28), source))
    with pytest.raises(AmqpError, match="does not require sessions") as refused:
        attach_link(session, asked)
    assert refused.value.condition == NOT_ALLOWED


def test_rights_come_before_existence() -> None:
    for address in ("plain", "nowhere", "nowhere/$management"):
        with pytest.raises(AmqpError) as refused:
            attach_link(Session(), attach(address, SENDER))
        assert refused.value.condition == UNAUTHORIZED


def test_an_attach_without_an_address_is_not_implemented(session: Session) -> None:
    for target in (None, Described(ULong(0x31), ["plain"]), Described(ULong(0x29), [])):
        with pytest.raises(AmqpError) as refused:
            attach_link(session, amqp.Attach("link", 0, SENDER, target=target))
        assert refused.value.condition == NOT_IMPLEMENTED


def test_a_refusal_is_an_attach_without_termini_and_a_detach(session: Session) -> None:
    refuse_link(session, attach("plain", SENDER), AmqpError(NOT_FOUND, "why"))
    answer, detach = session.sent
    assert isinstance(answer, amqp.Attach)
    assert (answer.source, answer.target) == (None, None)
    assert isinstance(detach, amqp.Detach)
    assert detach.closed


def test_a_delivery_is_tagged_with_its_lock_and_a_deleted_one_with_nothing(
    session: Session,
) -> None:
    for _ in range(2):
        session.queue().send(parse(DATA), session.now)
    receiver(session, credit=1)
    deleting = replace(attach("plain", RECEIVER), handle=1, snd_settle_mode=amqp.SETTLED)
    link = attach_link(session, deleting)
    link.on_flow(amqp.Flow(0, 10, 0, 10, 1, 0, 1))
    (locked, _), (deleted, _) = session.transfers
    (lock,) = (one.lock for one in session.queue().store)
    assert lock is not None
    assert (locked.delivery_tag, locked.settled) == (lock.token.bytes_le, False)
    assert (deleted.delivery_tag, deleted.settled) == (b"", True)
    assert len(session.tracked) == 1


def test_a_message_is_assembled_and_accepted(session: Session) -> None:
    link = incoming(session)
    link.on_transfer(amqp.Transfer(0, 1, b"t", 0, more=True), DATA[:3])
    assert session.memory.held == 3
    link.on_transfer(amqp.Transfer(0), DATA[3:])
    assert (session.memory.held, outcome(session)) == (0, 0x24)
    assert session.queue().counts(session.now).active == 1
    assert link.credit == CREDIT - 1


@pytest.mark.parametrize("data", [b"garbage", DATA + b"x" * 1000])
def test_a_message_that_cannot_be_accepted_is_rejected(session: Session, data: bytes) -> None:
    incoming(session).on_transfer(amqp.Transfer(0, 1, b"t", 0), data)
    assert (session.memory.held, outcome(session)) == (0, 0x25)
    assert session.queue().counts(session.now).active == 0
    assert session.detached == []


def test_an_aborted_message_is_dropped(session: Session) -> None:
    link = incoming(session)
    link.on_transfer(amqp.Transfer(0, 1, b"t", 0, more=True), DATA)
    link.on_transfer(amqp.Transfer(0, aborted=True), b"")
    assert session.memory.held == 0
    assert link.credit == CREDIT


def test_a_right_taken_away_ends_the_link(session: Session) -> None:
    link = incoming(session)
    session.access.rights = set()
    session.now += 10
    link.on_transfer(amqp.Transfer(0, 1, b"t", 0), DATA)
    assert outcome(session) == 0x25
    assert [one for one, _ in session.detached] == [link]


def test_a_receiver_gets_as_many_as_it_has_credit_for(session: Session) -> None:
    for _ in range(3):
        session.queue().send(parse(DATA), session.now)
    link = receiver(session, credit=2)
    assert (len(session.transfers), link.credit, link.delivery_count) == (2, 0, 2)
    assert session.tracked.keys() == {0, 1}
    answer = session.tracked[0].settle(Described(ULong(0x24), []))
    assert answer is not None
    assert not session.tracked[0].is_locked()
    assert session.tracked[1].is_locked()


def test_a_drain_is_answered_when_nothing_is_left(session: Session) -> None:
    link = receiver(session, credit=0)
    link.on_flow(amqp.Flow(0, 10, 0, 10, 0, 0, 5, drain=True))
    assert (link.credit, link.delivery_count) == (0, 5)
    assert session.flows[-1] == (link, True)


def test_a_receiver_without_room_or_right_gets_nothing(session: Session) -> None:
    session.queue().send(parse(DATA), session.now)
    session.can_deliver = False
    link = receiver(session)
    assert session.transfers == []
    session.can_deliver = True
    session.access.rights = set()
    session.now += 10
    link.wake()
    assert session.transfers == []
    assert [one for one, _ in session.detached] == [link]


def test_a_lost_lock_is_the_answer_to_its_outcome(session: Session) -> None:
    session.queue().send(parse(DATA), session.now)
    receiver(session)
    session.now += 3600
    answer = session.tracked[0].settle(Described(ULong(0x24), []))
    assert answer is not None
    assert answer.descriptor == 0x25


def test_a_reply_waits_for_credit_and_is_dropped_with_its_link(session: Session) -> None:
    link = ReplyLink(session, attach("$cbs", RECEIVER), Address("$cbs"), "here")
    link.reply(b"answer")
    assert session.transfers == []
    assert session.memory.held > 0
    link.on_flow(amqp.Flow(0, 10, 0, 10, 0, 0, 1))
    assert [payload for _, payload in session.transfers] == [b"answer"]
    link.reply(b"another")
    link.stop()
    assert session.memory.held == 0
