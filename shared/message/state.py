"""The states of a message, in the order in which the ledger ranks them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a message is: it passes the states from top to bottom."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    RETRYING = "retrying"
    REJECTED = "rejected"
    DROPPED = "dropped"
    DELIVERED = "delivered"
