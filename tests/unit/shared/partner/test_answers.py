"""What each answer of the partner means, and which answers a deployment may declare as final."""

from __future__ import annotations

import pytest

from shared.partner.answers import DEFAULT_FINAL, FinalStatuses, error_for_status
from shared.partner.delivery import (
    DeliveryError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerUnavailableError,
)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_every_success_is_acceptance(status: int) -> None:
    assert error_for_status(status, {}) is None


@pytest.mark.parametrize("status", [s for s in range(1000) if not 200 <= s < 300])
def test_an_answer_is_final_only_where_that_is_declared(status: int) -> None:
    expected: type[DeliveryError] = PartnerUnavailableError
    if status in (401, 403):
        expected = PartnerDeniedError
    elif status in (400, 413, 415, 422):
        expected = PartnerRefusedError
    error = error_for_status(status, {})
    assert type(error) is expected
    assert str(error) == f"it answered {status}"
    assert (error.status, error.retry_after) == (status, None)


def test_another_deployment_declares_other_answers_as_final() -> None:
    final = FinalStatuses.parse("404, 410,301")
    kinds = {status: type(error_for_status(status, {}, final)) for status in (301, 400, 404, 410)}
    assert kinds == {
        301: PartnerRefusedError,
        400: PartnerUnavailableError,
        404: PartnerRefusedError,
        410: PartnerRefusedError,
    }
    nothing = FinalStatuses.parse("none")
    assert isinstance(error_for_status(400, {}, nothing), PartnerUnavailableError)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 409, 410, 429, 500, 503])
def test_whoever_may_accept_it_later_says_when_to_come_back(status: int) -> None:
    error = error_for_status(status, {"Retry-After": "17"})
    assert error
    assert error.retry_after == 17


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "300 to 599"),
        (",", "300 to 599"),
        ("400,", "300 to 599"),
        ("200", "300 to 599"),
        ("100", "300 to 599"),
        ("600", "300 to 599"),
        ("4xx", "300 to 599"),
        ("400-499", "300 to 599"),
        ("400 404", "300 to 599"),
        ("-400", "300 to 599"),
        ("0400", "300 to 599"),
        ("٤٠٠", "300 to 599"),
        ("none,400", "300 to 599"),
        ("400,401", "401 or 403"),
        ("403", "401 or 403"),
        ("429,400", "ask to be tried again"),
        ("503", "ask to be tried again"),
    ],
)
def test_what_cannot_be_final_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FinalStatuses.parse(text)


@pytest.mark.parametrize("text", ["400,413,415,422", "none", "301,501"])
def test_final_statuses_are_written_as_they_are_read(text: str) -> None:
    assert str(FinalStatuses.parse(text)) == text
    assert str(DEFAULT_FINAL) == "400,413,415,422"
