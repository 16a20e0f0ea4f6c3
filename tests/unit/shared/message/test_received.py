"""A message as the trigger hands it over is read once, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.message.bus_message import rejected
from shared.message.envelope import DecryptionError
from shared.message.message_id import MessageId, digest_suffix
from shared.message.pending_receipt import PendingReceipt
from shared.message.receipt import Receipt
from shared.message.received import ReceivedMessage, UnidentifiedMessage, read_message
from shared.message.state import State
from shared.standards.trace_context import TraceContext
from tests.unit.shared.message.test_receipt import AT
from tests.unit.shared.message.triggered import TOKEN, TRACE, received, triggered, unidentified


@pytest.mark.parametrize(
    ("bus_id", "message_id"),
    [
        ("id-1", MessageId("id-1")),
        ("id-1.12", MessageId("id-1", hop=12)),
        ("id-1.r7", MessageId("id-1", 7)),
        (f"id-1.r7.3{digest_suffix(b'x')}", MessageId("id-1", 7, 3)),
    ],
)
def test_what_comes_in(bus_id: str, message_id: MessageId) -> None:
    message = received(bus_id, traceparent=TRACE)
    assert (message.bus_id, message.id) == (bus_id, message_id)
    assert (message.attempts, message.deliveries, message.trace) == (0, 1, TraceContext(TRACE))
    assert message.pending is None
    assert message.sealed().header.message_id == "id-1"


@pytest.mark.parametrize("bus_id", ["id-2", "id", "id-2.r7.1", "ID-1"])
def test_a_message_under_another_id_is_tampered_with(bus_id: str) -> None:
    with pytest.raises(DecryptionError) as caught:
        received(bus_id).sealed()
    assert (caught.value.fault, caught.value.detail) == (
        "tampered",
        "it is sealed for another message id",
    )


NOT_OURS = ["id-1.", "id-1.x", "id-1.1.1", "id-1.²", "id-1.r", "id-1.1.r1", "id-1\n", "", None]


@pytest.mark.parametrize("bus_id", NOT_OURS)
def test_a_message_under_an_id_that_is_not_this_relays_can_only_be_rejected(
    bus_id: str | None,
) -> None:
    assert unidentified(bus_id).fault.fault == "tampered"
    assert unidentified(bus_id, b"{}").fault.fault == "malformed"
    assert unidentified(bus_id, b"\xff").fault.fault == "malformed"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", "ä".encode(), b"{}", TOKEN.encode() + b"\n"])
def test_a_body_that_is_not_a_sealed_message_is_malformed(body: bytes) -> None:
    with pytest.raises(DecryptionError) as caught:
        received("id-1", body).sealed()
    assert caught.value.fault == "malformed"


@pytest.mark.parametrize(
    "trace",
    ["", "x", TRACE.upper(), "ff" + TRACE[2:], "00-" + "0" * 32 + TRACE[35:], TRACE + "\n", 7],
)
def test_an_invalid_trace_is_left_out(trace: object) -> None:
    assert received(traceparent=trace).trace is None


@pytest.mark.parametrize(
    ("value", "attempts"),
    [("0", 0), ("9", 9), (3, 3), ("", 0), ("x", 0), (-1, 0), (None, 0), ("99999", 0), ([1], 0)],
)
def test_attempts_that_are_not_a_count_are_none(value: object, attempts: int) -> None:
    message = read_message(triggered(properties={"relay-attempts": value}))
    assert message.attempts == attempts


@pytest.mark.parametrize(("given", "deliveries"), [(None, 1), (0, 1), (1, 1), (4, 4)])
def test_deliveries_are_counted_from_one(given: int | None, deliveries: int) -> None:
    assert read_message(triggered(deliveries=given)).deliveries == deliveries


def test_a_message_without_properties_is_read() -> None:
    message = read_message(triggered(properties=None))
    assert isinstance(message, ReceivedMessage)
    assert (message.attempts, message.trace, message.pending) == (0, None, None)


def test_a_pending_receipt_is_read_with_its_message() -> None:
    pending = PendingReceipt(Receipt("id-1", State.DELIVERED, AT), "mac")
    assert received("id-1.2", TOKEN.encode(), **pending.to_properties()).pending == pending
    assert received("id-2", TOKEN.encode(), **pending.to_properties()).pending is None


@given(st.binary(max_size=200), st.text(max_size=20))
def test_whatever_comes_in_can_be_rejected_as_it_is(body: bytes, bus_id: str) -> None:
    message = read_message(triggered(bus_id, body))
    if isinstance(message, UnidentifiedMessage):
        assert isinstance(message.fault, DecryptionError)
    else:
        with pytest.raises(DecryptionError):
            message.sealed()
    sent = rejected(message, "r", "d", 0)
    assert b"".join(sent.body) == body
    assert not bus_id or sent.message_id == bus_id


def test_no_body_is_in_what_is_printed() -> None:
    assert "planted" not in repr(received("id-1", b"planted"))
    assert "planted" not in repr(unidentified("not ours", b"planted"))
