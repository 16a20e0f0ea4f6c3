"""Which headers give a body a meaning that would not reach the partner."""

from __future__ import annotations

import pytest

from shared.apps.failures import InvalidRequestError
from shared.apps.representation import refuse_what_would_be_lost


@pytest.mark.parametrize(
    "coding",
    ["gzip", "GZIP", "x-gzip", "br", "deflate", "zstd", "aes128gcm", "planted", "identity, gzip"],
)
@pytest.mark.parametrize("name", ["content-encoding", "Content-Encoding", "CONTENT-ENCODING"])
def test_a_coded_body_is_415_with_the_coding_that_is_taken(name: str, coding: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        refuse_what_would_be_lost({name: coding})
    response = raised.value.problem.response()
    assert response.status_code == 415
    assert response.headers["Accept-Encoding"] == "identity"
    assert "planted" not in response.get_body().decode()


@pytest.mark.parametrize("value", ["bytes 0-9/100", "bytes */100", "planted", ""])
@pytest.mark.parametrize("name", ["content-range", "Content-Range"])
def test_a_part_of_a_body_is_400(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        refuse_what_would_be_lost({name: value})
    assert raised.value.problem.status == 400
    assert "planted" not in raised.value.problem.detail


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-encoding": "identity"},
        {"content-encoding": " Identity "},
        {"content-encoding": ""},
        {"content-type": "multipart/form-data; boundary=x", "content-length": "3"},
        {"accept-encoding": "gzip", "range": "bytes=0-9"},
    ],
)
def test_what_says_nothing_of_the_body_is_taken(headers: dict[str, str]) -> None:
    refuse_what_would_be_lost(headers)
