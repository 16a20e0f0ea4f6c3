"""What the ledger learns of a drop, without a bus."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ops.drop import dropped_receipt
from ops.rejected import Rejected
from shared.message.receipt import Receipt
from shared.message.state import State

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MESSAGE = Rejected(
    *(7, "a", "a.r5.2~0123456789abcdef", "partner-refused", "it answered 400", 3, NOW, 10),
    set_aside=False,
    is_recorded=True,
)


def test_a_drop_is_a_step_of_the_message_that_proves_nothing() -> None:
    detail = "partner-refused: it answered 400"
    expected = Receipt("a", State.DROPPED, NOW, 3, 5, detail, is_proven=False)
    assert dropped_receipt(MESSAGE, NOW) == expected
    assert Receipt.from_json(expected.to_json()) == expected


def test_a_drop_before_any_replay_is_of_replay_zero() -> None:
    receipt = dropped_receipt(replace(MESSAGE, message_id="a"), NOW)
    assert receipt
    assert receipt.replay == 0


@pytest.mark.parametrize(
    "unrecorded",
    [
        replace(MESSAGE, id=None, message_id="not an id"),
        replace(MESSAGE, is_receipt=True),
        replace(MESSAGE, is_recorded=False),
    ],
)
def test_the_ledger_does_not_hear_of_what_it_never_knew(unrecorded: Rejected) -> None:
    assert dropped_receipt(unrecorded, NOW) is None
