"""HTTP problem details (RFC 9457)."""

from __future__ import annotations

import json
import math
from http import HTTPStatus

import azure.functions as func


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    retry_after: float | None = None,
    **members: str | int | list[str],
) -> func.HttpResponse:
    """Return the answer of kind `about:blank`: the status says what, `detail` says what to do.

    `retry_after` is in seconds; `members` are extension members of the problem (section 3.2).
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    return func.HttpResponse(
        json.dumps(body | members),
        status_code=status.value,
        headers=headers,
        mimetype="application/problem+json",
        charset="utf-8",
    )
