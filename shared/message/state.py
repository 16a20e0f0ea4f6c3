"""The states of a message, in the order in which the ledger ranks them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a message is; the way goes from top to bottom, and the ledger ranks them so."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    RETRYING = "retrying"
    REJECTED = "rejected"
    DELIVERED = "delivered"
