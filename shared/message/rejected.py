"""What is written on a message that waits for an operator, on the queue of rejected ones.

Also what Service Bus itself writes on one that it takes off its queue.
"""

from __future__ import annotations

from datetime import UTC, datetime

ATTEMPTS = "relay-attempts"
REASON = "relay-reason"
DETAIL = "relay-detail"
REJECTED_AT = "relay-rejected-at"
KIND = "relay-kind"
RECEIPT = "receipt"  # the one value of KIND; without it, it is a message for the partner

# Source: Microsoft Learn, "Service Bus dead-letter queues", "Moving messages to the DLQ".
BUS_REASON = "DeadLetterReason"
BUS_DETAIL = "DeadLetterErrorDescription"

_LONGEST_REASON = 100
_LONGEST_DETAIL = 200


def why(reason: str, detail: str) -> dict[str, str | None]:
    """Return the properties that say why, and since when."""
    return {
        REASON: reason[:_LONGEST_REASON],
        DETAIL: detail[:_LONGEST_DETAIL],
        REJECTED_AT: datetime.now(UTC).isoformat(timespec="seconds"),
    }
