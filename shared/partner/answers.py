"""What each answer of the partner means, by its HTTP status (RFC 9110 section 15)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.partner.delivery import (
    DeliveryError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerUnavailableError,
)
from shared.standards.retry_after import retry_after

_STATUS = re.compile(r"[345]\d\d", re.ASCII)
_DENIALS = frozenset({401, 403})
# By their own definition: RFC 9110 sections 15.5.9 and 15.6.4, RFC 8470, RFC 6585.
_ASK_TO_TRY_AGAIN = frozenset({408, 425, 429, 503})
_NONE = "none"
TOO_LARGE = 413


@dataclass(frozen=True)
class FinalStatuses:
    """The answers by which a partner refuses a message for good."""

    statuses: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> FinalStatuses:
        """Read `400,413,415,422`, or `none`. Raises `ValueError`."""
        if text.strip() == _NONE:
            return cls(frozenset())
        parts = [part.strip() for part in text.split(",")]
        if not all(_STATUS.fullmatch(part) for part in parts):
            raise ValueError(
                "must be statuses from 300 to 599 with commas between, like 400,413,415,422, "
                "or none"
            )
        statuses = frozenset(int(part) for part in parts)
        if _DENIALS & statuses:
            raise ValueError(
                "must not have 401 or 403: a wrong secret would have every message rejected"
            )
        if _ASK_TO_TRY_AGAIN & statuses:
            raise ValueError("must not have 408, 425, 429 or 503, which ask to be tried again")
        return cls(statuses)

    def __contains__(self, status: object) -> bool:
        """Return whether an answer of this status is final."""
        return status in self.statuses

    def __str__(self) -> str:
        """Write them in the form that `parse` reads."""
        return ",".join(map(str, sorted(self.statuses))) or _NONE


DEFAULT_FINAL = FinalStatuses(frozenset({400, 413, 415, 422}))


def error_for_status(
    status: int, headers: Mapping[str, str], final: FinalStatuses = DEFAULT_FINAL
) -> DeliveryError | None:
    """Return what an answer means for a message; None where it is accepted.

    What is neither accepted, denied nor declared final is tried again, whatever it is: a gateway
    answers 404 during a bad release, and nobody can list what else.
    """
    why = f"it answered {status}"
    if 200 <= status < 300:
        return None
    asked = retry_after(headers)
    if status in _DENIALS:
        return PartnerDeniedError(why, retry_after=asked, status=status)
    if status in final:
        return PartnerRefusedError(why, status=status)
    return PartnerUnavailableError(why, retry_after=asked, status=status)
