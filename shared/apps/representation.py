"""Which requests have a body whose meaning is in headers that do not travel with it.

Only the bytes and their media type reach the partner. What else says how to read the bytes is
refused: accepted, it would be lost without anybody noticing.
Source: RFC 9110, sections 8.4, 14.4 and 15.5.16.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from shared.apps.failures import InvalidRequestError

# RFC 9110, section 8.4.1: reserved, and means that there is no coding.
_NO_CODING = "identity"


def refuse_what_would_be_lost(headers: Mapping[str, str]) -> None:
    """Return if the bytes of the body and its Content-Type are all that it is.

    Raises `InvalidRequestError`, which repeats no value.
    """
    given = {name.lower(): value for name, value in headers.items()}
    codings = {one.strip().lower() for one in given.get("content-encoding", "").split(",")}
    if codings - {"", _NO_CODING}:
        # Refused, not carried: a partner would have to decode it, and a webhook's signature would
        # be over something other than what its framework shows it.
        raise InvalidRequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Content-Encoding: does not reach the partner; send the body without a coding, or as "
            "a media type of its own, such as application/gzip",
            headers={"Accept-Encoding": _NO_CODING},
        )
    if "content-range" in given:
        raise InvalidRequestError(
            HTTPStatus.BAD_REQUEST,
            "Content-Range: a message is a whole body, not a part of one (RFC 9110, section 14.4)",
        )
