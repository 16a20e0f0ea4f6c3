"""A receipt that waits on its message: whose it is, and whether it is to be believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.message.envelope import DataKey
from shared.message.formats import Formats
from shared.message.message_id import MessageId
from shared.message.pending_receipt import (
    PENDING_RECEIPT,
    PENDING_RECEIPT_MAC,
    NewerPendingReceipt,
    PendingReceipt,
    pending_receipt,
)
from shared.message.receipt import Receipt
from shared.message.state import State
from tests.unit.shared.message.test_receipt import AT

KEY = DataKey.generate()
ID = MessageId("id-1", 7, 2)
DELIVERED = Receipt("id-1", State.DELIVERED, AT, 2, size=7)
AUTHENTIC = PendingReceipt.by(KEY, DELIVERED)


def test_it_comes_back_as_it_was_and_authentic() -> None:
    back = pending_receipt(AUTHENTIC.to_properties(), ID)
    assert isinstance(back, PendingReceipt)
    assert back == AUTHENTIC
    assert back.is_authentic(KEY)


def test_without_a_key_it_comes_back_as_it_was() -> None:
    pending = PendingReceipt(replace(DELIVERED, state=State.REJECTED))
    assert pending_receipt(pending.to_properties(), ID) == pending


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
    assert pending_receipt(properties, ID) == PendingReceipt(DELIVERED)


def test_a_message_does_not_report_the_outcome_of_another() -> None:
    other = PendingReceipt.by(KEY, replace(DELIVERED, message_id="id-2"))
    assert pending_receipt(other.to_properties(), ID) is None


@pytest.mark.parametrize("text", ["", "{}", "garbage", "[" * 10_000, 7, None, b"x"])
def test_what_is_not_a_receipt_is_not_pending(text: object) -> None:
    assert pending_receipt({PENDING_RECEIPT: text}, ID) is None
    assert pending_receipt({}, ID) is None


LATER = PendingReceipt.by(KEY, replace(DELIVERED, format=2))


def test_one_of_a_newer_format_is_kept_unread_and_as_it_came() -> None:
    properties = LATER.to_properties() | {PENDING_RECEIPT_MAC: "another kind of MAC"}
    newer = pending_receipt(properties, ID)
    assert isinstance(newer, NewerPendingReceipt)
    assert newer.error.number == 2
    assert newer.to_properties() == properties
    unread = pending_receipt({PENDING_RECEIPT: '{"format": 9999, "other": []}'}, ID)
    assert isinstance(unread, NewerPendingReceipt)


def test_one_of_a_format_that_is_accepted_is_read_and_authentic() -> None:
    for pending in (AUTHENTIC, LATER):
        back = pending_receipt(pending.to_properties(), ID, Formats(frozenset({1, 2})))
        assert back == pending
        assert isinstance(back, PendingReceipt)
        assert back.is_authentic(KEY)


def test_the_format_is_bound_by_the_mac() -> None:
    assert not replace(LATER, receipt=DELIVERED).is_authentic(KEY)
    assert not replace(AUTHENTIC, receipt=LATER.receipt).is_authentic(KEY)
