"""What the sender accepts of a caller, and what is to be done with it."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest

from shared.apps.failures import InvalidRequestError
from shared.apps.submission import Submission, accepted
from shared.ledger.entry import LedgerEntry
from shared.message.state import State
from shared.standards.trace_context import TraceContext
from tests.unit.shared.apps.sender_requests import KEY, TRACE, request
from tests.unit.shared.ledger.entries import NOW, entry_of


def submission(body: bytes = b"payload", /, **headers: str) -> Submission:
    return Submission.from_request(request(body, **headers), 100)


def entry(of: Submission, state: State = State.ACCEPTED) -> LedgerEntry:
    return entry_of(of.as_new(NOW), state)


def test_a_submission_is_its_body_with_what_its_headers_say() -> None:
    found = submission(content_type="text/plain; charset=utf-8", traceparent=TRACE)
    assert found.payload == b"payload"
    assert found.header.content_type == "text/plain; charset=utf-8"
    assert (found.trace, found.fingerprint) == (TraceContext(TRACE), None)
    new = found.as_new(NOW)
    assert (new.id, new.content_type, new.size, new.accepted_at, new.fingerprint) == (
        found.header.message_id,
        "text/plain; charset=utf-8",
        7,
        NOW,
        None,
    )


@pytest.mark.parametrize("headers", [{}, {"content_type": ""}])
def test_a_payload_of_no_type_is_of_bytes(headers: dict[str, str]) -> None:
    assert submission(**headers).header.content_type == "application/octet-stream"


def test_without_a_key_every_request_is_a_message_of_its_own() -> None:
    ids = {submission().header.message_id for _ in range(10)}
    assert len(ids) == 10
    assert {uuid.UUID(one).version for one in ids} == {4}


def test_under_one_key_the_same_request_is_the_same_message() -> None:
    first, again = submission(idempotency_key=KEY), submission(idempotency_key=KEY)
    assert first == again
    assert first.fingerprint != submission(b"other", idempotency_key=KEY).fingerprint


@pytest.mark.parametrize("trace", ["", "planted", TRACE.upper(), "ff" + TRACE[2:]])
def test_an_invalid_trace_is_left_out(trace: str) -> None:
    assert submission(traceparent=trace).trace is None


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        (b"", {}, 400, "empty"),
        (b"planted" * 20, {}, 413, "at most 100 bytes"),
        (b"x", {"content_type": "planted"}, 400, "Content-Type: "),
        (b"x", {"content_type": "a/" + "b" * 300}, 400, "Content-Type: "),
        (b"x", {"content_type": "a/b\r\nplanted: c"}, 400, "Content-Type: "),
        (b"x", {"idempotency_key": "planted"}, 400, "Idempotency-Key: "),
        (b"x", {"idempotency_key": ""}, 400, "Idempotency-Key: "),
        (b"x", {"idempotency_key": '"planted short"'}, 400, "Idempotency-Key: "),
    ],
)
def test_what_is_not_accepted_is_answered_with_what_to_change(
    body: bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        submission(body, **headers)
    problem = raised.value.problem
    assert problem.status == status
    assert detail in problem.detail
    assert "planted" not in problem.detail
    assert problem.members == ({"limit": 100} if status == 413 else {})


@pytest.mark.parametrize("size", [1, 100])
def test_a_body_may_be_as_large_as_the_limit(size: int) -> None:
    assert len(submission(bytes(size)).payload) == size


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": KEY}])
@pytest.mark.parametrize("state", list(State))
def test_no_state_of_a_row_keeps_a_message_from_being_sent_that_no_sender_queued(
    headers: dict[str, str], state: State
) -> None:
    found = submission(**headers)
    assert found.must_be_queued(entry(found, state))


@pytest.mark.parametrize("state", [State.QUEUED, State.RETRYING, State.DELIVERED])
def test_what_a_sender_queued_is_not_queued_again(state: State) -> None:
    found = submission(idempotency_key=KEY)
    assert not found.must_be_queued(replace(entry(found, state), queued_at=NOW))


@pytest.mark.parametrize(
    ("state", "why"),
    [(State.REJECTED, "An operator can replay it"), (State.DROPPED, "an operator has dropped it")],
)
def test_a_message_that_was_queued_and_rejected_is_not_reported_as_accepted(
    state: State, why: str
) -> None:
    found = submission(idempotency_key=KEY)
    with pytest.raises(InvalidRequestError) as raised:
        found.must_be_queued(replace(entry(found, state), queued_at=NOW))
    assert raised.value.problem.status == 409
    assert why in (raised.value.problem.detail or "")
    assert "use a new key" in raised.value.problem.detail


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize(
    ("body", "content_type", "fingerprint"),
    [(b"other", "a/b", None), (b"payload", "a/c", None), (b"payload", "a/b", b"another")],
)
def test_a_key_that_was_used_for_another_message_is_refused(
    state: State, body: bytes, content_type: str, fingerprint: bytes | None
) -> None:
    first = submission(idempotency_key=KEY, content_type="a/b")
    found = entry(first, state)
    if fingerprint:
        found = replace(found, fingerprint=fingerprint)
    second = submission(body, idempotency_key=KEY, content_type=content_type)
    with pytest.raises(InvalidRequestError) as raised:
        second.must_be_queued(found)
    assert raised.value.problem.status == 422
    assert raised.value.problem.detail.startswith("Idempotency-Key: ")


def test_a_message_that_was_accepted_without_a_key_is_no_other_callers() -> None:
    keyed = submission(idempotency_key=KEY)
    with pytest.raises(InvalidRequestError):
        keyed.must_be_queued(replace(entry(keyed), fingerprint=None))
    plain = submission()
    with pytest.raises(InvalidRequestError):
        plain.must_be_queued(replace(entry(plain), fingerprint=b"of a key"))


def of_caller(**headers: str) -> Submission:
    asked = request(b"payload", idempotency_key=KEY, **headers)
    return Submission.from_request(asked, 100, binds_keys_to_callers=True)


def test_where_the_platform_authenticates_callers_a_key_is_the_callers_own() -> None:
    callers = [
        {"x_ms_client_principal_id": "one"},
        {"x_ms_client_principal_id": "two"},
        {"x_ms_client_principal_id": "one", "x_ms_client_principal_idp": "aad"},
        {"x_ms_client_principal_id": "aad", "x_ms_client_principal_idp": "one"},
    ]
    found = [of_caller(**caller) for caller in callers]
    assert found == [of_caller(**caller) for caller in callers]
    assert len({one.header.message_id for one in found}) == len(callers)
    assert len({one.fingerprint for one in found}) == len(callers)
    assert submission(idempotency_key=KEY) not in found


@pytest.mark.parametrize("headers", [{}, {"x_ms_client_principal_id": ""}])
def test_where_callers_have_keys_of_their_own_nobody_uses_one_unauthenticated(
    headers: dict[str, str],
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        of_caller(**headers)
    assert raised.value.problem.status == 401


def test_where_the_platform_does_not_authenticate_who_a_caller_says_to_be_changes_nothing() -> None:
    said = submission(idempotency_key=KEY, x_ms_client_principal_id="planted")
    assert said == submission(idempotency_key=KEY)


@pytest.mark.parametrize("status_url", ["", "https://tracker.example"])
def test_what_is_accepted_is_answered_with_its_id_its_state_and_where_to_ask(
    status_url: str,
) -> None:
    response = accepted("mine", State.QUEUED, status_url)
    link = f"{status_url}/api/messages/mine"
    assert (response.status_code, response.headers["Location"]) == (202, link)
    assert response.mimetype == "application/json"
    assert json.loads(response.get_body()) == {
        "id": "mine",
        "state": "queued",
        "links": {"status": link},
    }
