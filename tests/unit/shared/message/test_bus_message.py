"""What is sent to the queues."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.message.bus_message import outgoing, receipts_message, rejected, requeued
from shared.message.envelope import MEDIA_TYPE, DataKey
from shared.message.message_id import digest_suffix
from shared.message.pending_receipt import PendingReceipt
from shared.message.receipt import Receipt
from shared.message.receipt_lines import read_lines
from shared.message.state import State
from shared.message.waiting import Wait, WaitsFor
from shared.standards.trace_context import TraceContext
from tests.unit.shared.message.test_receipt import AT
from tests.unit.shared.message.triggered import TOKEN, TRACE, received, unidentified

DUE = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KEY = DataKey.generate()
WAIT = Wait(WaitsFor.ATTEMPT, "it answered 503", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_what_goes_out() -> None:
    message = outgoing(TOKEN.encode(), "id-1", TraceContext(TRACE, "a=b"))
    assert b"".join(message.body) == TOKEN.encode()
    assert message.message_id == "id-1"
    assert message.content_type == MEDIA_TYPE
    assert message.application_properties == {
        "traceparent": TRACE,
        "tracestate": "a=b",
        "Diagnostic-Id": TRACE,
    }
    assert not outgoing(TOKEN.encode(), "id-1", None).application_properties


@pytest.mark.parametrize(
    ("bus_id", "following"), [("id-1", "id-1.1"), ("id-1.1", "id-1.2"), ("id-1.r7", "id-1.r7.1")]
)
def test_a_message_that_waits_is_the_same_under_the_id_of_its_next_hop(
    bus_id: str, following: str
) -> None:
    message = requeued(received(bus_id, traceparent=TRACE), DUE, 3, WAIT)
    assert message.message_id == f"{following}{digest_suffix(TOKEN.encode())}"
    assert message.application_properties == {
        "traceparent": TRACE,
        "Diagnostic-Id": TRACE,
        "relay-attempts": "3",
        "relay-waits-for": "attempt",
        "relay-detail": "it answered 503",
        "relay-accepted-at": "2026-01-02T03:04:05+00:00",
    }
    assert message.content_type == MEDIA_TYPE
    assert b"".join(message.body) == TOKEN.encode()
    assert message.scheduled_enqueue_time_utc == DUE


def test_a_message_that_waits_keeps_what_it_used_up_of_the_schedule() -> None:
    message = replace(received("id-1"), schedule_used=35)
    sent = requeued(message, DUE, 2, WAIT)
    properties = {str(k): v for k, v in (sent.application_properties or {}).items()}
    assert properties["relay-schedule-used"] == "35"
    again = received(str(sent.message_id), b"".join(sent.body), **properties)
    assert again.schedule_used == 35
    # Replayed by an operator, it has its whole schedule again.
    left = rejected(again, "partner-refused", "why", 3).application_properties
    assert "relay-schedule-used" not in (left or {})


def test_a_pending_receipt_waits_with_its_message_for_as_many_hops_as_it_takes() -> None:
    pending = PendingReceipt.by(KEY, Receipt("id-1", State.DELIVERED, AT, 2, size=7))
    message = replace(received("id-1"), pending=pending)
    for hop in (1, 2, 3):
        sent = requeued(message, DUE, 2, WAIT)
        properties = {str(k): v for k, v in (sent.application_properties or {}).items()}
        message = received(str(sent.message_id), b"".join(sent.body), **properties)
        assert (message.id.hop, message.attempts, message.pending) == (hop, 2, pending)
        assert pending.is_authentic(KEY)


def test_a_rejected_message_says_why_and_stays_sealed() -> None:
    message = rejected(received("id-1.2", traceparent=TRACE), "partner-refused", "d" * 300, 3)
    assert message.message_id == "id-1.2"
    assert b"".join(message.body) == TOKEN.encode()
    properties = dict(message.application_properties or {})
    assert datetime.fromisoformat(str(properties.pop("relay-rejected-at"))).tzinfo
    assert properties == {
        "traceparent": TRACE,
        "Diagnostic-Id": TRACE,
        "relay-attempts": "3",
        "relay-reason": "partner-refused",
        "relay-detail": "d" * 200,
    }


def test_a_rejected_message_of_which_the_ledger_has_not_heard_says_so() -> None:
    recorded, unrecorded = (
        rejected(received(), "r", "d", 0, is_recorded=one).application_properties or {}
        for one in (True, False)
    )
    assert set(unrecorded) - set(recorded) == {"relay-unrecorded"}


def test_a_rejected_message_leaves_its_pending_receipt_behind() -> None:
    pending = PendingReceipt(Receipt("id-1", State.DELIVERED, AT))
    sent = rejected(replace(received(), pending=pending), "r", "d", 0)
    assert "relay-pending-receipt" not in (sent.application_properties or {})


@pytest.mark.parametrize("bus_id", ["not ours", "id-1.1.1"])
def test_what_is_not_this_relays_is_rejected_under_its_own_id(bus_id: str) -> None:
    message = rejected(unidentified(bus_id, b"\xff"), "r", "d", 0)
    assert (message.message_id, b"".join(message.body)) == (bus_id, b"\xff")


def test_what_has_no_id_is_rejected_under_one_of_the_sdk() -> None:
    ids = {rejected(unidentified(""), "r", "d", 0).message_id for _ in range(2)}
    assert len(ids - {"", None}) == 2


def test_a_receipt_is_read_as_it_was_sent() -> None:
    receipt = Receipt("id-1", State.REJECTED, AT, 3, replay=7, detail="why")
    message = receipts_message([receipt.to_json()])
    assert Receipt.from_json(b"".join(message.body)) == receipt
    assert message.content_type == "application/json"


def test_several_receipts_are_read_as_they_were_sent_together() -> None:
    many = [Receipt(f"id-{number}", State.DELIVERED, AT, number) for number in range(3)]
    message = receipts_message([one.to_json() for one in many])
    assert [line.receipt for line in read_lines(b"".join(message.body))] == many
    assert message.content_type == "application/jsonl"
