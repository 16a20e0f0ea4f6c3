from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from shared.standards.problems import Problem


def test_a_problem_has_its_own_media_type_and_the_members_of_rfc_9457() -> None:
    response = Problem(HTTPStatus.NOT_FOUND, "there is none", members={"limit": 5}).response()
    assert response.status_code == 404
    assert (response.mimetype, response.charset) == ("application/problem+json", "utf-8")
    assert json.loads(response.get_body()) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is none",
        "limit": 5,
    }


@pytest.mark.parametrize(
    ("seconds", "header"), [(0, "1"), (0.1, "1"), (1, "1"), (1.01, "2"), (5, "5"), (3600.0, "3600")]
)
def test_the_time_to_wait_is_in_whole_seconds_and_never_none(seconds: float, header: str) -> None:
    response = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "later", seconds).response()
    assert response.headers["Retry-After"] == header


def test_without_a_time_to_wait_there_is_no_header() -> None:
    assert "Retry-After" not in Problem(HTTPStatus.CONFLICT, "no").response().headers
