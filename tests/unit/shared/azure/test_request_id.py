from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.request_id import of_answer, of_bus

GUID = "0b8a5f0e-6c1d-4a57-9d0c-6e3a1f2b4c5d"
BARE = GUID.replace("-", "")


class Answer:
    """What the SDKs' errors carry of a response."""

    def __init__(self, headers: object = None, body: object = "") -> None:
        self.headers = headers
        self._body = body

    def text(self) -> object:
        if isinstance(self._body, Exception):
            raise self._body
        return self._body


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer({"x-ms-request-id": GUID}), GUID),
        (Answer({"x-ms-request-id": GUID.upper()}), GUID),
        (Answer({}, json.dumps({"statusCode": 400, "correlationId": GUID})), GUID),
        (Answer({"x-ms-request-id": f"{GUID}\r\nINFO all is well"}), None),
        (Answer({"x-ms-request-id": f" {GUID}"}), None),
        (Answer({"x-ms-request-id": "\u0660" * 8 + GUID[8:]}), None),
        (Answer({"x-ms-request-id": "1" * 100_000}), None),
        (Answer({"x-ms-request-id": 7}), None),
        (Answer({}, json.dumps({"correlationId": f"{GUID} "})), None),
        (Answer({}, json.dumps({"correlationId": [GUID]})), None),
        (Answer({}, json.dumps([GUID])), None),
        (Answer({}, "[" * 100_000), None),
        (Answer({}, "<html>"), None),
        (Answer({}, None), None),
        (Answer({}, ValueError("not read")), None),
        (Answer(), None),
        (None, None),
    ],
)
def test_an_answer_names_its_request_or_does_not(answer: object, expected: str | None) -> None:
    assert of_answer(answer) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Unauthorized access. TrackingId:{BARE}_G25, SystemTracker:gateway7, Timestamp:x", GUID),
        (f"claim is empty. TrackingId:{GUID}_G12, SystemTracker:x", GUID),
        (f"TrackingId:{BARE.upper()}, x", GUID),
        (f"TrackingId:{BARE}", GUID),
        (f"TrackingId:{BARE}0", None),
        (f"TrackingId: {BARE}", None),
        (f"{BARE}_G25", None),
        ("TrackingId:all is well", None),
        ("", None),
    ],
)
def test_an_error_of_the_bus_names_its_request_or_does_not(text: str, expected: str | None) -> None:
    assert of_bus(text) == expected


@given(st.text())
def test_whatever_a_server_says_only_an_id_comes_out(text: str) -> None:
    for found in (
        of_bus(f"TrackingId:{text}"),
        of_answer(Answer({"x-ms-request-id": text})),
        of_answer(Answer({}, text)),
    ):
        assert found is None or (len(found) == 36 and set(found) <= set("0123456789abcdef-"))
