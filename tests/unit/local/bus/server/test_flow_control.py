"""The windows of a session."""

from __future__ import annotations

from local.bus.amqp import performatives as amqp
from local.bus.server.flow_control import (
    FRAME_PREFIX,
    MAX_TRANSFER,
    SERIAL_NUMBERS,
    WINDOW,
    SessionWindow,
)

TRANSFER = amqp.Transfer(0, 1, b"t", 0)


def window(incoming_window: int = 10, next_outgoing_id: int = 0) -> SessionWindow:
    return SessionWindow(amqp.Begin(None, next_outgoing_id, incoming_window, 10))


def test_the_client_gets_a_flow_frame_before_its_window_ends() -> None:
    session = window(next_outgoing_id=SERIAL_NUMBERS - 1)
    asked = [session.count_incoming() for _ in range(WINDOW // 2 + 1)]
    assert asked == [False] * (WINDOW // 2) + [True]
    flow = session.flow()
    assert (flow.next_incoming_id, flow.incoming_window) == (WINDOW // 2, WINDOW)
    assert not session.count_incoming()


def test_transfers_wait_for_the_clients_window() -> None:
    session = window(incoming_window=2)
    session.queue(TRANSFER, b"x" * 2500, 1000)
    assert not session.is_open
    sent = list(session.sendable())
    assert [transfer.more for transfer, _ in sent] == [True, True]
    assert not session.is_open
    session.on_flow(amqp.Flow(3, 5, 0, 10))
    sent += session.sendable()
    assert [transfer.more for transfer, _ in sent] == [True, True, False]
    assert b"".join(payload for _, payload in sent) == b"x" * 2500
    assert session.is_open


def test_what_surely_fits_into_a_frame_does() -> None:
    most, tag = 2**32 - 1, b"t" * 16
    longest = amqp.Transfer(most, most, tag, most, settled=True, more=True)
    assert FRAME_PREFIX + len(amqp.write(longest)) <= MAX_TRANSFER + len(tag)


def test_no_frame_is_larger_than_the_client_takes() -> None:
    session = window(incoming_window=100)
    session.queue(TRANSFER, b"x" * 10_000, 1024)
    sizes = [
        FRAME_PREFIX + len(amqp.write(transfer)) + len(payload)
        for transfer, payload in session.sendable()
    ]
    assert max(sizes) <= 1024
    assert len(sizes) > 10_000 // 1024


def test_what_the_client_had_not_seen_yet_counts_against_its_window() -> None:
    session = window(incoming_window=10)
    for _ in range(3):
        session.queue(TRANSFER, b"x", 1000)
    list(session.sendable())
    session.on_flow(amqp.Flow(2, 2, 0, 10))  # it had seen one of three
    session.queue(TRANSFER, b"x", 1000)
    assert list(session.sendable()) == []
    session.on_flow(amqp.Flow(None, 4, 0, 10))  # it had seen nothing
    assert len(list(session.sendable())) == 1


def test_a_client_that_claims_to_have_seen_the_future_gains_nothing() -> None:
    session = window(incoming_window=0)
    session.on_flow(amqp.Flow(99, 1, 0, 10))
    session.queue(TRANSFER, b"x", 1000)
    session.queue(TRANSFER, b"x", 1000)
    assert len(list(session.sendable())) == 1
