"""What the ledger learns of a rejected message that is dropped: pure."""

from __future__ import annotations

from datetime import datetime

from ops.rejected import Rejected
from shared.message.message_id import MessageId
from shared.message.receipt import Receipt
from shared.message.state import State


def dropped_receipt(message: Rejected, now: datetime) -> Receipt | None:
    """Return the receipt of dropping a message at `now`; None where the ledger must not hear of it.

    Without it the ledger would call the message `rejected` for good. The receipt proves nothing,
    since an operator cannot open the message: it changes nothing of one that is delivered.
    """
    own = MessageId.parse(message.message_id)
    if own is None or message.is_receipt or not message.is_recorded:
        return None
    detail = f"{message.reason}: {message.detail}"
    return Receipt(
        own.id,
        State.DROPPED,
        now,
        message.attempts,
        own.replay or 0,
        detail,
        is_proven=False,
    )
