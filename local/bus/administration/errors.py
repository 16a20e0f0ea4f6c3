"""Refusals of the administration, as Service Bus words and numbers them.

Source: Microsoft Learn, "Service Bus - Resource Manager exceptions"; github.com/Azure/
azure-sdk-for-net, issues that quote responses.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID


class AdministrationError(Exception):
    """A refusal with its HTTP status and the subcode that Service Bus writes into the text."""

    def __init__(self, status: int, sub_code: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.sub_code = sub_code
        self.what = what

    def detail(self, request_id: UUID) -> str:
        """Return the text for a client."""
        now = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
        return (
            f"SubCode={self.sub_code}. {self.what} TrackingId:{request_id}, "
            f"SystemTracker:NoSystemTracker, Timestamp:{now}"
        )


def bad_request(what: str) -> AdministrationError:
    """Return the refusal of what is malformed or not possible."""
    return AdministrationError(400, 40000, f"Bad Request. {what}")


def unauthorized(what: str) -> AdministrationError:
    """Return the refusal of a token that is missing, not valid, or not enough."""
    return AdministrationError(401, 40100, f"Unauthorized. {what}")


def not_found(path: str) -> AdministrationError:
    """Return the refusal of what does not exist."""
    return AdministrationError(404, 40400, f"Not Found. The entity '{path}' does not exist.")


def conflict(path: str) -> AdministrationError:
    """Return the refusal to create what exists."""
    return AdministrationError(409, 40900, f"Conflict. The entity '{path}' exists already.")
