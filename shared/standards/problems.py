"""HTTP problem details (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import azure.functions as func

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """A problem of type `about:blank`: the status says what, `detail` says what to do.

    `retry_after` is in seconds; `members` are extension members of the problem (section 3.2);
    `headers` are further headers of the answer.
    """

    status: HTTPStatus
    detail: str
    retry_after: float | None = None
    members: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> func.HttpResponse:
        """Write it as the answer to a request."""
        body = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **self.members,
        }
        return func.HttpResponse(
            json.dumps(body),
            status_code=self.status.value,
            headers=self._headers(),
            mimetype=MEDIA_TYPE,
            charset="utf-8",
        )

    def _headers(self) -> dict[str, str]:
        # In whole seconds (RFC 9110 section 10.2.3), and at least one: 0 would invite a storm.
        if self.retry_after is None:
            return dict(self.headers)
        return {**self.headers, "Retry-After": str(max(1, math.ceil(self.retry_after)))}
