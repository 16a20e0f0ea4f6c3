"""Every decision of a replay, without a bus."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from ops.replay import Content, NotReplayable, Resend, decide, replay_id
from shared.message.message_id import MessageId, digest_suffix
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.standards.trace_context import TraceContext

BODY = b"a.sealed.message"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = TraceContext(PARENT)
MESSAGE = Content(7, "abc.2", BODY, "application/jose", TRACE)
RECEIPT = Receipt("abc", State.DELIVERED, datetime(2026, 11, 23, tzinfo=UTC), 1).to_json().encode()


def test_a_message_goes_to_its_queue_as_it_was_under_an_id_of_this_replay() -> None:
    own_id = f"abc.r7{digest_suffix(BODY)}"
    assert decide(MESSAGE) == Resend("messages", BODY, own_id, "application/jose", TRACE)


def test_a_message_of_no_known_form_goes_as_it_was_too() -> None:
    other = Content(7, "not.one of this relay's", b"\xff", None)
    own_id = f"not.one of this relay's.r7{digest_suffix(other.body or b'')}"
    assert decide(other) == Resend("messages", b"\xff", own_id, None, None)


def test_a_receipt_goes_to_the_queue_of_receipts_without_an_id() -> None:
    content = Content(7, "abc", RECEIPT, "text/plain", TRACE, is_receipt=True)
    assert decide(content) == Resend("receipts", RECEIPT, None, "application/json", TRACE)


def test_what_only_looks_like_a_receipt_never_reaches_the_ledger() -> None:
    decision = decide(Content(7, "abc", RECEIPT, "application/json"))
    assert isinstance(decision, Resend)
    assert decision.destination == "messages"


@pytest.mark.parametrize("body", [b"", b"{}", b"planted", RECEIPT[:-1]])
def test_a_receipt_that_cannot_be_read_stays(body: bytes) -> None:
    decision = decide(Content(7, "abc", body, None, is_receipt=True))
    assert isinstance(decision, NotReplayable)
    assert decision.why.startswith("it was on the queue of receipts and is not a receipt")
    assert "planted" not in decision.why


@pytest.mark.parametrize("is_receipt", [False, True])
def test_a_body_that_is_not_bytes_stays(is_receipt: bool) -> None:
    decision = decide(replace(MESSAGE, body=None, is_receipt=is_receipt))
    assert isinstance(decision, NotReplayable)
    assert "not made of bytes" in decision.why


def test_what_is_sent_is_the_decision_and_has_no_time_to_live() -> None:
    decision = decide(MESSAGE)
    assert isinstance(decision, Resend)
    sent = decision.message()
    assert b"".join(sent.body) == BODY
    assert sent.message_id == decision.message_id
    assert sent.content_type == "application/jose"
    assert sent.application_properties == {"traceparent": PARENT, "Diagnostic-Id": PARENT}
    assert sent.time_to_live is None
    bare = Resend("receipts", RECEIPT, None, "application/json").message()
    assert bare.application_properties is None
    assert isinstance(bare, ServiceBusMessage)


def test_nothing_of_the_body_is_in_what_is_printed() -> None:
    assert "sealed" not in repr(MESSAGE) + repr(decide(MESSAGE))


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        ("abc", "abc.r7"),
        ("abc.3", "abc.r7"),
        ("abc.r2", "abc.r7"),
        ("abc.r2.4", "abc.r7"),
        ("not.one of ours", "not.one of ours.r7"),
        ("", ".r7"),
        ("x" * 128, "x" * 108 + ".r7"),
    ],
)
def test_a_replay_has_an_id_of_its_own(message_id: str, expected: str) -> None:
    assert replay_id(message_id, 7, BODY) == expected + digest_suffix(BODY)


def test_the_id_of_a_replay_is_read_as_the_messages_own() -> None:
    assert MessageId.parse(replay_id("abc.r2.4", 7, BODY)) == MessageId("abc", 7)
    longest = replay_id("x" * 80, 10**18 - 1, BODY)
    assert len(longest) <= 128
    assert MessageId.parse(longest) == MessageId("x" * 80, 10**18 - 1)
