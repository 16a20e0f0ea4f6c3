"""The opening of a connection, phase by phase, without a socket."""

from __future__ import annotations

import pytest

from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.errors import AmqpError, UnauthorizedError
from local.bus.amqp.frames import AMQP, HEADER, SASL, Frame, FrameReader, ProtocolHeader
from local.bus.amqp.values import Symbol
from local.bus.server.handshake import MECHANISMS, Handshake, Peer, Phase

Item = ProtocolHeader | Frame
SASL_HEADER = ProtocolHeader(HEADER[SASL])
AMQP_HEADER = ProtocolHeader(HEADER[AMQP])


def sasl(mechanism: str = "ANONYMOUS", response: bytes | None = None) -> Frame:
    return Frame(SASL, 0, amqp.write(amqp.SaslInit(Symbol(mechanism), response)))


def opening(**fields: object) -> Frame:
    return Frame(AMQP, 0, amqp.write(amqp.Open("client", **fields)))  # type: ignore[arg-type]


def check_plain(name: str, key: str) -> None:
    if (name, key) != ("rule", "key"):
        raise UnauthorizedError("wrong")


def after(*items: Item) -> Handshake:
    handshake = Handshake(check_plain)
    for item in items:
        handshake.receive(item)
    return handshake


def answers(data: bytes) -> list[object]:
    """Return what a client reads: headers, and performatives of either layer."""
    reader = FrameReader()
    reader.feed(data)
    found: list[object] = []
    while (item := reader.next()) is not None:
        found.append(item if isinstance(item, ProtocolHeader) else amqp.read(item.body)[0])
    return found


def test_each_phase_leads_to_the_next() -> None:
    handshake = Handshake(check_plain)
    phases = [handshake.phase]
    for item in (SASL_HEADER, sasl(), AMQP_HEADER, opening()):
        handshake.receive(item)
        phases.append(handshake.phase)
    assert phases == [
        Phase.SASL_HEADER,
        Phase.SASL_INIT,
        Phase.AMQP_HEADER,
        Phase.OPEN,
        Phase.OPENED,
    ]
    assert handshake.is_open


def test_the_mechanisms_are_offered_behind_the_header() -> None:
    header, offer = answers(Handshake(check_plain).receive(SASL_HEADER))
    assert header == SASL_HEADER
    assert isinstance(offer, amqp.SaslMechanisms)
    assert offer.mechanisms.items == MECHANISMS


@pytest.mark.parametrize("item", [AMQP_HEADER, ProtocolHeader(b"AMQP\2\1\0\0"), sasl()])
def test_nobody_gets_past_sasl(item: Item) -> None:
    handshake = Handshake(check_plain)
    assert answers(handshake.receive(item)) == [SASL_HEADER]
    assert handshake.phase is Phase.REFUSED


@pytest.mark.parametrize(
    ("init", "code"),
    [
        (sasl("ANONYMOUS"), 0),
        (sasl("MSSBCBS"), 0),
        (sasl("EXTERNAL"), 0),
        (sasl("PLAIN", b"\0rule\0key"), 0),
        (sasl("PLAIN", b"\0rule\0other"), 1),
        (sasl("PLAIN", b"rule\0key"), 1),
        (sasl("PLAIN", b"\xff"), 1),
        (sasl("PLAIN"), 1),
        (sasl("GSSAPI"), 1),
    ],
)
def test_a_mechanism_is_accepted_or_ends_the_connection(init: Frame, code: int) -> None:
    handshake = after(SASL_HEADER)
    (outcome,) = answers(handshake.receive(init))
    assert isinstance(outcome, amqp.SaslOutcome)
    assert outcome.code == code
    assert handshake.phase is (Phase.REFUSED if code else Phase.AMQP_HEADER)


@pytest.mark.parametrize("item", [SASL_HEADER, opening()])
def test_sasl_is_followed_by_the_header_of_amqp(item: Item) -> None:
    handshake = after(SASL_HEADER, sasl())
    assert answers(handshake.receive(item)) == [AMQP_HEADER]
    assert handshake.phase is Phase.REFUSED


@pytest.mark.parametrize(
    ("fields", "peer"),
    [
        ({}, Peer(65536)),
        ({"max_frame_size": 1024, "idle_time_out": 60_000}, Peer(1024, 60.0)),
        ({"max_frame_size": 1}, Peer(1)),
        ({"properties": {Symbol("user-agent"): "relay-access/1"}}, Peer(65536, is_probe=True)),
    ],
)
def test_the_open_frame_says_what_the_client_takes(fields: dict[str, object], peer: Peer) -> None:
    handshake = after(SASL_HEADER, sasl(), AMQP_HEADER)
    (answer,) = answers(handshake.receive(opening(**fields)))
    assert isinstance(answer, amqp.Open)
    assert handshake.peer == peer


@pytest.mark.parametrize(
    ("before", "item", "error"),
    [
        ((SASL_HEADER,), SASL_HEADER, DecodeError),
        ((SASL_HEADER,), Frame(AMQP, 0, amqp.write(amqp.Open("x"))), DecodeError),
        ((SASL_HEADER,), Frame(SASL, 0, amqp.write(amqp.SaslOutcome(0))), DecodeError),
        ((SASL_HEADER,), Frame(SASL, 0, b""), DecodeError),
        ((SASL_HEADER, sasl(), AMQP_HEADER), AMQP_HEADER, DecodeError),
        ((SASL_HEADER, sasl(), AMQP_HEADER), Frame(AMQP, 0, amqp.write(amqp.End())), AmqpError),
        ((SASL_HEADER, sasl(), AMQP_HEADER, opening()), opening(), AmqpError),
    ],
)
def test_what_does_not_belong_there_is_an_error(
    before: tuple[Item, ...], item: Item, error: type[Exception]
) -> None:
    handshake = after(*before)
    phase = handshake.phase
    with pytest.raises(error):
        handshake.receive(item)
    assert handshake.phase is phase
