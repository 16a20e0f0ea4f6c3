"""The application properties of a message that waits for an operator, in the rejected queue.

Also those that Service Bus itself writes on a dead letter.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from shared.standards.plain_text import writable

ATTEMPTS = "relay-attempts"
SCHEDULE_USED = "relay-schedule-used"
REASON = "relay-reason"
DETAIL = "relay-detail"
REJECTED_AT = "relay-rejected-at"
UNRECORDED = "relay-unrecorded"  # there, with any value: the ledger has not heard of it
KIND = "relay-kind"
RECEIPT = "receipt"  # the one value of KIND; without it, it is a message for the partner

# Source: Microsoft Learn, "Service Bus dead-letter queues", "Moving messages to the DLQ".
BUS_REASON = "DeadLetterReason"
BUS_DETAIL = "DeadLetterErrorDescription"

_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_COUNT = re.compile(r"\d{1,4}", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{0,63}", re.ASCII)
_LONGEST_REASON = 100
_LONGEST_DETAIL = 200


def why(reason: str, detail: str) -> dict[str, str | None]:
    """Return the properties that say why a message was rejected, and when: now."""
    return {
        REASON: writable(reason)[:_LONGEST_REASON],
        DETAIL: writable(detail)[:_LONGEST_DETAIL],
        REJECTED_AT: datetime.now(UTC).isoformat(timespec="seconds"),
    }


def short_reason(reason: str) -> str:
    """Return a reason as a metric has it: what the bus says may be any text."""
    return reason if _WORD.fullmatch(reason) else "other"


def read_count(value: object) -> int:
    """Read a property that counts, up to 9,999; 0 for one that is missing or not a count."""
    found = _COUNT.fullmatch(str(value))
    return int(found[0]) if found else 0


def read_seconds(value: object) -> int | None:
    """Read a property of whole seconds; None for one that is missing or not that."""
    found = _SECONDS.fullmatch(str(value))
    return int(found[0]) if found else None
