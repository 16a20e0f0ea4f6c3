"""Which problem document answers which failure: type, status, Retry-After, members."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from shared.apps.failures import FailureAnswers, InvalidRequestError
from shared.azure.queues import BusDeniedError, BusUnavailableError, MessageTooLargeError
from shared.azure.vault import VaultDeniedError, VaultRefusedError, VaultUnavailableError
from shared.errors import RelayError
from shared.ledger.database import SecretDeniedError
from shared.ledger.errors import AuthenticationFailedError, LedgerError, LedgerUnavailableError
from shared.message.envelope import DecryptionError

ANSWERS = FailureAnswers("send it again", "a fault in the relay")


@pytest.mark.parametrize(
    ("error", "retry_after"),
    [
        (VaultUnavailableError("encrypt", "planted", 429, retry_after=30.5), "31"),
        (VaultUnavailableError("encrypt", "planted", 503, retry_after=0.0), "5"),
        (VaultUnavailableError("encrypt", "planted"), "5"),
        (VaultDeniedError("encrypt", "planted", 403), "5"),
        (BusUnavailableError("planted"), "5"),
        (BusUnavailableError("planted", retry_after=0.2), "1"),
        (BusDeniedError("planted"), "5"),
        (LedgerUnavailableError("planted"), "5"),
        (LedgerUnavailableError("planted", retry_after=60), "60"),
        (SecretDeniedError("planted"), "5"),
        (AuthenticationFailedError("planted"), "5"),
        (TimeoutError("planted"), "5"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_what_may_succeed_later_is_503_with_the_time_to_wait(
    error: Exception, retry_after: str
) -> None:
    response = ANSWERS.problem_for(error).response()
    assert response.status_code == 503
    assert response.headers["Retry-After"] == retry_after
    assert json.loads(response.get_body()) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "send it again",
    }


@pytest.mark.parametrize(
    "error",
    [
        VaultRefusedError("encrypt", "planted", 404),
        MessageTooLargeError("planted"),
        LedgerError("planted"),
        DecryptionError("malformed", "planted"),
        RelayError("planted"),
        ValueError("planted"),
        KeyError("planted"),
        OSError("planted"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_nobody_foresaw_is_500_and_says_nothing_of_the_inside(error: Exception) -> None:
    response = ANSWERS.problem_for(error).response()
    assert response.status_code == 500
    assert "Retry-After" not in response.headers
    assert json.loads(response.get_body()) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "a fault in the relay",
    }


@pytest.mark.parametrize("limit", [None, 190_000])
def test_a_request_that_can_never_succeed_is_answered_as_it_says(limit: int | None) -> None:
    error = InvalidRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large", limit)
    response = ANSWERS.problem_for(error).response()
    assert response.status_code == 413
    assert "Retry-After" not in response.headers
    body = json.loads(response.get_body())
    assert (body["detail"], body.get("limit")) == ("too large", limit)
