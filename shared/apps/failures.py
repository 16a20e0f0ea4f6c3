"""Which problem document answers a failed request: a decision, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from shared.errors import RelayError
from shared.standards.problems import Problem

# For a service that does not say when it can be asked again.
RETRY_AFTER_SECONDS = 5.0


class InvalidRequestError(RelayError):
    """A request that can never succeed as it is; the text says what to change.

    `limit` is in bytes, where the request is too large; `headers` are further ones of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        limit: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        members = {} if limit is None else {"limit": limit}
        self.problem = Problem(status, detail, members=members, headers=headers or {})


@dataclass(frozen=True)
class FailureAnswers:
    """The answers of one interface; the texts are for its callers and say nothing of the inside.

    `unavailable` is for what may succeed later, `fault` for anything unexpected.
    """

    unavailable: str
    fault: str

    def problem_for(self, error: Exception) -> Problem:
        """Return the problem that answers a request which ended by `error`."""
        if isinstance(error, InvalidRequestError):
            return error.problem
        if is_transient(error):
            asked = error.retry_after if isinstance(error, RelayError) else None
            seconds = asked or RETRY_AFTER_SECONDS
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, self.unavailable, seconds)
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, self.fault)


def is_transient(error: Exception) -> bool:
    """Return whether the same request may succeed later: a service failed, or time ran out."""
    return isinstance(error, TimeoutError) or (isinstance(error, RelayError) and error.transient)
