"""A receipt that waits on its message: whose it is, and whether it is to be believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.message.envelope import DataKey
from shared.message.message_id import MessageId
from shared.message.pending_receipt import PENDING_RECEIPT, PENDING_RECEIPT_MAC, PendingReceipt
from shared.message.receipt import Receipt
from shared.message.state import State
from tests.unit.shared.message.test_receipt import AT

KEY = DataKey.generate()
ID = MessageId("id-1", 7, 2)
DELIVERED = Receipt("id-1", State.DELIVERED, AT, 2, size=7)
AUTHENTIC = PendingReceipt.by(KEY, DELIVERED)


def test_it_comes_back_as_it_was_and_authentic() -> None:
    back = PendingReceipt.from_properties(AUTHENTIC.to_properties(), ID)
    assert back == AUTHENTIC
    assert back.is_authentic(KEY)


def test_without_a_key_it_comes_back_as_it_was() -> None:
    pending = PendingReceipt(replace(DELIVERED, state=State.REJECTED))
    assert PendingReceipt.from_properties(pending.to_properties(), ID) == pending


@pytest.mark.parametrize(
    "forged",
    [
        PendingReceipt(DELIVERED),
        PendingReceipt(DELIVERED, ""),
        PendingReceipt(DELIVERED, "\u00e4\ud800"),
        PendingReceipt.by(DataKey.generate(), DELIVERED),
        replace(AUTHENTIC, receipt=replace(DELIVERED, size=8)),
        replace(AUTHENTIC, receipt=replace(DELIVERED, message_id="id-2")),
        replace(AUTHENTIC, mac=str(AUTHENTIC.mac).lower()),
    ],
)
def test_a_receipt_of_somebody_without_the_key_is_not_authentic(forged: PendingReceipt) -> None:
    assert not forged.is_authentic(KEY)


def test_a_mac_that_is_not_text_is_left_out() -> None:
    properties = {PENDING_RECEIPT: DELIVERED.to_json(), PENDING_RECEIPT_MAC: 7}
    assert PendingReceipt.from_properties(properties, ID) == PendingReceipt(DELIVERED)


def test_a_message_does_not_report_the_outcome_of_another() -> None:
    other = PendingReceipt.by(KEY, replace(DELIVERED, message_id="id-2"))
    assert PendingReceipt.from_properties(other.to_properties(), ID) is None


@pytest.mark.parametrize("text", ["", "{}", "garbage", "[" * 10_000, 7, None, b"x"])
def test_what_is_not_a_receipt_is_not_pending(text: object) -> None:
    assert PendingReceipt.from_properties({PENDING_RECEIPT: text}, ID) is None
    assert PendingReceipt.from_properties({}, ID) is None
