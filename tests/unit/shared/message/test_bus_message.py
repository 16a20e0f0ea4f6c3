from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.functions.servicebus import ServiceBusMessage
from hypothesis import given
from hypothesis import strategies as st

from shared.message.bus_message import ReceivedMessage, outgoing, receipt_message
from shared.message.envelope import (
    MEDIA_TYPE,
    DataKey,
    DecryptionError,
    MessageHeader,
    WrappedKey,
    seal,
)
from shared.message.message_id import digest_suffix
from shared.message.receipt import Receipt
from shared.message.state import State

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = seal(
    b"payload", MessageHeader("id-1", "a/b"), DataKey.generate(), WrappedKey("kid", b"key")
)


def incoming(
    message_id: str = "id-1", body: bytes = TOKEN.encode(), /, **more: Any
) -> ReceivedMessage:
    return ReceivedMessage.from_trigger(
        ServiceBusMessage(
            body=body,
            message_id=message_id,
            user_properties={},
            application_properties=more,
        )
    )


def test_what_goes_out() -> None:
    message = outgoing(TOKEN, "id-1", TRACE)
    assert b"".join(message.body) == TOKEN.encode()
    assert message.message_id == "id-1"
    assert message.content_type == MEDIA_TYPE
    assert message.application_properties == {"traceparent": TRACE}
    assert not outgoing(TOKEN, "id-1", None).application_properties


@pytest.mark.parametrize("message_id", ["id-1", "id-1.1", "id-1.12", "id-1.r7", "id-1.r7.3"])
def test_what_comes_in(message_id: str) -> None:
    message = incoming(message_id, traceparent=TRACE)
    assert message.attempts == 0
    assert message.trace == TRACE
    assert message.sealed().header.message_id == "id-1"


@pytest.mark.parametrize(
    "message_id",
    [
        "",
        "id-2",
        "id-1.",
        "id-1.x",
        "id-1.1.1",
        "id-1.²",
        "id",
        "id-1.r",
        "id-1.1.r1",
        "id-1\n",
    ],
)
def test_a_message_under_another_id_is_tampered(message_id: str) -> None:
    with pytest.raises(DecryptionError) as caught:
        incoming(message_id).sealed()
    assert caught.value.fault == "tampered"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", "ä".encode(), b"{}", TOKEN.encode() + b"\n"])
def test_a_body_that_is_no_sealed_message_is_malformed(body: bytes) -> None:
    with pytest.raises(DecryptionError) as caught:
        incoming("id-1", body).sealed()
    assert caught.value.fault == "malformed"


@pytest.mark.parametrize(
    "trace",
    ["", "x", TRACE.upper(), "ff" + TRACE[2:], "00-" + "0" * 32 + TRACE[35:], TRACE + "\n", 7],
)
def test_an_invalid_trace_is_left_out(trace: object) -> None:
    assert incoming(traceparent=trace).trace is None


@pytest.mark.parametrize(
    ("value", "attempts"),
    [("0", 0), ("9", 9), (3, 3), ("", 0), ("x", 0), (-1, 0), (None, 0), ("99999", 0), ([1], 0)],
)
def test_attempts_that_are_no_number_count_as_none(value: object, attempts: int) -> None:
    assert incoming("id-1", TOKEN.encode(), **{"relay-attempts": value}).attempts == attempts


def test_a_message_that_waits_is_the_same_under_the_id_of_its_next_way() -> None:
    before = datetime.now(UTC)
    message = incoming("id-1.1", traceparent=TRACE).rescheduled(60, attempts=3)
    assert message.message_id == f"id-1.2{digest_suffix(TOKEN.encode())}"
    assert message.application_properties == {"traceparent": TRACE, "relay-attempts": "3"}
    assert b"".join(message.body) == TOKEN.encode()
    due = message.scheduled_enqueue_time_utc
    assert due
    assert 60 <= (due - before).total_seconds() < 120


def test_a_rejected_message_says_why_and_stays_sealed() -> None:
    message = incoming("id-1.2", traceparent=TRACE).rejected("partner-refused", "d" * 300, 3)
    assert message.message_id == "id-1.2"
    assert b"".join(message.body) == TOKEN.encode()
    properties = dict(message.application_properties or {})
    assert datetime.fromisoformat(str(properties.pop("relay-rejected-at"))).tzinfo
    assert properties == {
        "traceparent": TRACE,
        "relay-attempts": "3",
        "relay-reason": "partner-refused",
        "relay-detail": "d" * 200,
    }


@given(st.binary(max_size=200), st.text(max_size=20))
def test_whatever_comes_in_can_be_rejected_as_it_is(body: bytes, message_id: str) -> None:
    message = incoming(message_id, body)
    with pytest.raises(DecryptionError):
        message.sealed()
    assert b"".join(message.rejected("r", "d", 0).body) == body


@pytest.mark.parametrize(
    ("message_id", "replay"), [("id-1", 0), ("id-1.3", 0), ("id-1.r7", 7), ("id-1.r7.2", 7)]
)
def test_a_receipt_is_for_the_id_and_its_replay(message_id: str, replay: int) -> None:
    receipt = incoming(message_id).receipt(State.REJECTED, 3, "d" * 300, size=7)
    assert receipt
    assert (receipt.message_id, receipt.replay, receipt.attempts) == ("id-1", replay, 3)
    assert (receipt.detail, receipt.size) == ("d" * 200, 7)
    assert Receipt.from_json(b"".join(receipt_message(receipt).body)) == receipt


def test_there_is_no_receipt_for_what_is_none_of_ours() -> None:
    assert incoming("not ours").receipt(State.REJECTED, 0) is None


KEY = DataKey.generate()


def with_receipt(
    receipt: Receipt, key: DataKey | None = KEY, forged: dict[str, object] | None = None
) -> ReceivedMessage:
    """What comes back of a message that waited for its receipt only."""
    sent = incoming("id-1", traceparent=TRACE).with_pending_receipt(5, receipt, key)
    assert b"".join(sent.body) == TOKEN.encode()
    assert sent.scheduled_enqueue_time_utc
    properties = {str(k): v for k, v in (sent.application_properties or {}).items()}
    return incoming(str(sent.message_id), b"".join(sent.body), **(properties | (forged or {})))


def delivered(message_id: str = "id-1") -> Receipt:
    receipt = incoming(message_id).receipt(State.DELIVERED, 2, size=7)
    assert receipt
    return receipt


def test_an_owed_receipt_comes_back_as_it_was_and_confirmed() -> None:
    back = with_receipt(delivered())
    assert back.pending_receipt
    assert (back.pending_receipt.state, back.pending_receipt.size) == (State.DELIVERED, 7)
    assert (back.message_id[:7], back.attempts, back.trace) == ("id-1.1~", 2, TRACE)
    assert back.has_authentic_receipt(KEY)
    again = back.rescheduled(60, 2)
    properties = {str(k): v for k, v in (again.application_properties or {}).items()}
    assert incoming("id-1.2", TOKEN.encode(), **properties).has_authentic_receipt(KEY)


@pytest.mark.parametrize(
    "forged",
    [
        with_receipt(delivered(), None),
        with_receipt(delivered(), DataKey.generate()),
        with_receipt(delivered(), forged={"relay-pending-receipt-mac": 7}),
        with_receipt(delivered(), forged={"relay-pending-receipt-mac": "\u00e4"}),
        with_receipt(
            delivered(), forged={"relay-pending-receipt": replace(delivered(), size=8).to_json()}
        ),
        incoming("id-1"),
    ],
)
def test_a_receipt_of_somebody_without_the_key_is_not_confirmed(forged: ReceivedMessage) -> None:
    assert not forged.has_authentic_receipt(KEY)


def test_a_message_does_not_tell_what_became_of_another() -> None:
    assert with_receipt(delivered("id-2")).pending_receipt is None


@pytest.mark.parametrize("text", ["", "{}", "garbage", 7, None, b"x"])
def test_what_is_no_receipt_is_not_owed(text: object) -> None:
    found = incoming("id-1", TOKEN.encode(), **{"relay-pending-receipt": text})
    assert found.pending_receipt is None
    assert incoming("id-1").pending_receipt is None


def test_deliveries_are_counted_from_one() -> None:
    assert incoming().deliveries == 1
    message = ServiceBusMessage(
        body=b"x",
        message_id="id-1",
        user_properties={},
        application_properties={},
        delivery_count=4,
    )
    assert ReceivedMessage.from_trigger(message).deliveries == 4
