"""The id under which a service has a request on record, where its refusal names one.

What a server sends goes to a log here, so it must be an id to the last character: a server could
otherwise write lines of its own.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TRACKING = re.compile(
    r"TrackingId:([0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?![0-9a-f-])",
    re.IGNORECASE | re.ASCII,
)


def of_answer(response: Any) -> str | None:
    """Return the id that an HTTP answer names; None if it names none.

    Key Vault names it in a header, the endpoint of managed identities in the JSON it answers.
    """
    named = _header(response) or _correlation(response)
    return named.lower() if isinstance(named, str) and _GUID.fullmatch(named) else None


def of_bus(text: str) -> str | None:
    """Return the id that an error of Service Bus names, as in `TrackingId:…_G12`, or None."""
    found = _TRACKING.search(text)
    return str(uuid.UUID(found[1])) if found else None


def _header(response: Any) -> object:
    headers = getattr(response, "headers", None)
    return headers.get("x-ms-request-id") if headers else None


def _correlation(response: Any) -> object:
    try:
        body = json.loads(response.text())
    except (AttributeError, TypeError, ValueError, RecursionError):
        return None  # no answer, not read to its end, or not JSON
    return body.get("correlationId") if isinstance(body, dict) else None
