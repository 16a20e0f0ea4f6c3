"""Receipts that were not recorded: sent again, or to an operator, as they were."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared.message.receipt import Receipt
from shared.message.state import State
from shared.message.unrecorded import rejected_receipt, returned
from tests.unit.shared.message.test_receipt import AT

BODY = Receipt("id-1", State.DELIVERED, AT).to_json().encode()


def test_a_returned_receipt_is_the_same_and_counts_its_returns() -> None:
    message, again = returned(BODY, 3), returned(BODY, 3)
    assert b"".join(message.body) == BODY
    assert message.content_type == "application/json"
    assert message.application_properties == {"relay-returns": "3"}
    assert message.message_id != again.message_id, "a queue would drop it as a duplicate"


@pytest.mark.parametrize(("body", "message_id"), [(BODY, "id-1"), (b"\xff", ""), (b"{}", "")])
def test_a_rejected_receipt_says_what_it_is_and_why(body: bytes, message_id: str) -> None:
    message = rejected_receipt(body, "r" * 300, "d" * 300)
    assert b"".join(message.body) == body
    assert not message_id or message.message_id == message_id
    properties = dict(message.application_properties or {})
    assert datetime.fromisoformat(str(properties.pop("relay-rejected-at"))).tzinfo
    assert properties == {
        "relay-kind": "receipt",
        "relay-reason": "r" * 100,
        "relay-detail": "d" * 200,
    }
