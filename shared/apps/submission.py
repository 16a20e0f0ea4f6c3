"""What a caller submits to the sender, and what is to be done with it: decisions, without I/O."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from http import HTTPStatus

import azure.functions as func

from shared.apps.failures import InvalidRequestError
from shared.apps.idempotency import IdempotencyKey
from shared.apps.representation import refuse_what_would_be_lost
from shared.ledger.entry import LedgerEntry, NewMessage
from shared.message.protected_header import MessageHeader
from shared.message.state import State
from shared.standards.trace_context import TraceContext

# App Service sets these and removes those of the request, where its authentication is on. Source:
# Microsoft Learn, "Work with user identities in Azure App Service authentication".
_CALLER = "x-ms-client-principal-id"
_PROVIDER = "x-ms-client-principal-idp"
_DEFAULT_CONTENT_TYPE = "application/octet-stream"
_NOT_DELIVERED = {
    State.REJECTED: "rejected, and may have been dropped since; it is not sent again. An operator "
    "can replay it while it is kept",
    State.DROPPED: "rejected, and an operator has dropped it since; it is not sent again",
}


@dataclass(frozen=True)
class Submission:
    """A request that can be accepted. `fingerprint` is set under an Idempotency-Key only."""

    header: MessageHeader
    payload: bytes = field(repr=False)
    trace: TraceContext | None
    fingerprint: bytes | None = field(repr=False)

    @classmethod
    def from_request(
        cls, request: func.HttpRequest, limit: int, *, binds_keys_to_callers: bool = False
    ) -> Submission:
        """Read a request with a body of at most `limit` bytes. Raises `InvalidRequestError`."""
        refuse_what_would_be_lost(request.headers)
        payload = _payload(request, limit)
        content_type = request.headers.get("content-type") or _DEFAULT_CONTENT_TYPE
        key = _idempotency_key(request)
        if key and binds_keys_to_callers:
            key = key.of_caller(_caller(request))
        message_id = key.message_id() if key else str(uuid.uuid4())
        return cls(
            _header(message_id, content_type),
            payload,
            TraceContext.from_headers(request.headers),
            key.fingerprint(payload, content_type) if key else None,
        )

    def as_new(self, at: datetime) -> NewMessage:
        """Return it as the ledger takes it."""
        header, size = self.header, len(self.payload)
        return NewMessage(header.message_id, header.content_type, size, at, self.fingerprint)

    def must_be_queued(self, entry: LedgerEntry) -> bool:
        """Return whether this message is not on its queue yet, by what the ledger has of its id.

        Raises `InvalidRequestError` if that is of another message under the same Idempotency-Key,
        or if this message was rejected.
        """
        if not compare_digest(entry.fingerprint or b"", self.fingerprint or b""):
            raise InvalidRequestError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "Idempotency-Key: was used before, for another body or Content-Type; "
                "a new message needs a new key",
            )
        # Only a sender writes `queued_at`. The state may be that of a receipt, which others can
        # cause without any request: it never decides that a payload is not sent. Where an earlier
        # attempt got further than the ledger says, the queue takes the same bus id once.
        if entry.queued_at is None:
            return True
        if entry.state in _NOT_DELIVERED:
            raise InvalidRequestError(
                HTTPStatus.CONFLICT,
                f"Idempotency-Key: the message under this key was {_NOT_DELIVERED[entry.state]}; "
                "to send it as a new message, use a new key",
            )
        return False


def accepted(message_id: str, state: State, status_url: str) -> func.HttpResponse:
    """Return the answer to a submission that was accepted; `status_url` is the tracker's."""
    link = f"{status_url}/api/messages/{message_id}"
    return func.HttpResponse(
        json.dumps({"id": message_id, "state": state, "links": {"status": link}}),
        status_code=HTTPStatus.ACCEPTED,
        headers={"Location": link},
        mimetype="application/json",
    )


def _payload(request: func.HttpRequest, limit: int) -> bytes:
    payload = request.get_body()
    if not payload:
        raise InvalidRequestError(
            HTTPStatus.BAD_REQUEST, "the body is empty, or came in chunks without a Content-Length"
        )
    if len(payload) > limit:
        raise InvalidRequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than a message may be: at most {limit} bytes",
            limit,
        )
    return payload


def _header(message_id: str, content_type: str) -> MessageHeader:
    try:
        return MessageHeader(message_id, content_type)
    except ValueError as error:
        raise InvalidRequestError(HTTPStatus.BAD_REQUEST, f"Content-Type: {error}") from None


def _caller(request: func.HttpRequest) -> str:
    caller, provider = (request.headers.get(name) or "" for name in (_CALLER, _PROVIDER))
    # Not shared with everybody whom nobody authenticated: that would be the one namespace again.
    if not caller:
        raise InvalidRequestError(
            HTTPStatus.UNAUTHORIZED,
            "Idempotency-Key: needs a caller whom App Service has authenticated",
        )
    return json.dumps([provider, caller])


def _idempotency_key(request: func.HttpRequest) -> IdempotencyKey | None:
    header = request.headers.get("idempotency-key")
    try:
        return None if header is None else IdempotencyKey.parse(header)
    except ValueError as error:
        raise InvalidRequestError(HTTPStatus.BAD_REQUEST, f"Idempotency-Key: {error}") from None
