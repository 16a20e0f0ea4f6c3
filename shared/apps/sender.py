"""The sender: takes payloads over HTTP, seals them, and puts them on the queue of messages.

The ledger knows of a message before the queue does, so that no message is without its row.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import compare_digest
from http import HTTPStatus

import azure.functions as func

from shared.apps.idempotency import IdempotencyKey
from shared.azure.identities import credential
from shared.azure.queues import (
    BusDeniedError,
    BusError,
    BusUnavailableError,
    MessageTooLargeError,
    QueueSender,
    connect,
)
from shared.azure.vault import VaultDeniedError, VaultSecret, VaultUnavailableError
from shared.concurrency.single_flight import SingleFlight
from shared.errors import RelayError
from shared.ledger.errors import LedgerError, LedgerUnavailableError
from shared.ledger.ledger import Ledger, NewMessage
from shared.message.bus_message import outgoing
from shared.message.data_keys import DataKeyProvider, Limits
from shared.message.envelope import MessageHeader, WrappedKey, seal
from shared.message.message_id import initial_bus_id
from shared.message.payload_key import VaultKey
from shared.message.state import State
from shared.settings.settings import SenderSettings
from shared.standards.problems import problem
from shared.standards.trace_context import HEADER, traceparent
from shared.telemetry.outages import Outages

# What a caller can wait for; less than the 230 s of Azure's front end, and than functionTimeout.
_ANSWER_SECONDS = 100.0
_RETRY_AFTER_SECONDS = 5
_AWAY = (VaultUnavailableError, VaultDeniedError, BusError, LedgerUnavailableError, TimeoutError)
_log = logging.getLogger(__name__)


class InvalidRequestError(RelayError):
    """A request that can never be taken as it is. `limit` is in bytes, where it is too large."""

    def __init__(self, status: HTTPStatus, detail: str, limit: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = {} if limit is None else {"limit": limit}


@dataclass(frozen=True)
class _Submission:
    """A request that is fit to be taken. `fingerprint` is set under an Idempotency-Key only."""

    header: MessageHeader
    payload: bytes = field(repr=False)
    trace: str | None
    fingerprint: bytes | None = field(repr=False)


def blueprint(settings: SenderSettings) -> func.Blueprint:
    """Register the sender's function."""
    functions = func.Blueprint()
    sender = Sender(settings)

    @functions.route("messages", methods=["POST"])
    async def send(req: func.HttpRequest) -> func.HttpResponse:
        return await sender.answer(req)

    return functions


class Sender:
    """The sender's way of a message, with the clients of its two identities."""

    def __init__(self, settings: SenderSettings) -> None:
        self._settings = settings
        self._outages = Outages(_log)
        self._key = VaultKey(
            settings.payload_key, credential(settings.encrypt_identity), settings.network
        )
        self._keys = DataKeyProvider(
            self._encrypt,
            Limits(settings.data_key_messages, settings.data_key_seconds, settings.data_key_bytes),
        )
        bus = connect(settings.bus_namespace, credential(settings.bus_identity), settings.network)
        self._messages = QueueSender(bus, settings.messages_queue)
        secret = VaultSecret(
            settings.database_secret,
            credential(settings.database_identity),
            settings.database_secret_seconds,
            settings.network,
        )
        self._ledger = Ledger(secret, settings.network.ca_bundle)
        self._flights: SingleFlight[tuple[str, bytes], State] = SingleFlight()

    async def answer(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 202 once the message is on the queue, and a problem in every other case."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._handle(request)
        except InvalidRequestError as error:
            return problem(error.status, error.detail, **error.members)
        except _AWAY as error:
            _log.debug("not taken: %s", error)
            asked = error.retry_after if isinstance(error, RelayError) else None
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the message was not taken, because a service that it needs is away; send it again",
                retry_after=asked or _RETRY_AFTER_SECONDS,
            )
        except Exception:  # noqa: BLE001 - every answer of this interface is a problem document
            # The caller learns nothing of the inside; the log has it.
            _log.exception("not taken")
            return problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "the message was not taken, because of a fault in the relay",
            )

    async def _handle(self, request: func.HttpRequest) -> func.HttpResponse:
        submission = _submission(request, self._settings.max_payload_bytes)
        message_id = submission.header.message_id
        if submission.fingerprint is None:
            return self._accepted(message_id, await self._accept_and_enqueue(submission))
        # Requests with one key at the same time are one message: the others share its outcome.
        state = await self._flights.run(
            (message_id, submission.fingerprint), lambda: self._accept_and_enqueue(submission)
        )
        return self._accepted(message_id, state)

    async def _accept_and_enqueue(self, submission: _Submission) -> State:
        """Return where the message is: on the queue, or further if it was sent before."""
        header = submission.header
        new = NewMessage(
            header.message_id,
            header.content_type,
            len(submission.payload),
            datetime.now(UTC),
            submission.fingerprint,
        )
        with self._outages.watching("the ledger", LedgerUnavailableError):
            entry = await self._ledger.accept(new)
        if not compare_digest(entry.fingerprint or b"", submission.fingerprint or b""):
            raise InvalidRequestError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "Idempotency-Key: was used before, for another body or Content-Type; "
                "a new message needs a new key",
            )
        # Accepted but never queued: an earlier try ended in between. It is sent now, under the
        # same message id, which the queue takes once if that try got further than it could tell.
        if entry.state is not State.ACCEPTED:
            return entry.state
        await self._queue(submission)
        return State.QUEUED

    async def _queue(self, submission: _Submission) -> None:
        header, payload = submission.header, submission.payload
        key, wrapped = await self._keys.acquire(len(payload))
        token = seal(payload, header, key, wrapped)
        bus_id = initial_bus_id(header.message_id, submission.fingerprint)
        try:
            queue = f"queue {self._settings.messages_queue}"
            with self._outages.watching(queue, (BusUnavailableError, BusDeniedError)):
                await self._messages.send(outgoing(token, bus_id, submission.trace))
        except MessageTooLargeError:
            # The configured limit is too high for this queue, so it is not the one to name.
            raise InvalidRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "the body is larger than a message may be: sealed, it does not fit into the queue",
            ) from None
        _log.info("queued %s: %d bytes", header.message_id, len(payload))
        try:
            with self._outages.watching("the ledger", LedgerUnavailableError):
                await self._ledger.queued(header.message_id, wrapped.version, datetime.now(UTC))
        except LedgerError as error:
            # The message is on its way whatever the ledger says; its receipts will tell.
            level = self._outages.level
            _log.log(level, "%s stays accepted in the ledger: %s", header.message_id, error)

    async def _encrypt(self, plaintext: bytes) -> WrappedKey:
        with self._outages.watching(self._key.url, (VaultUnavailableError, VaultDeniedError)):
            return await self._key.encrypt(plaintext)

    def _accepted(self, message_id: str, state: State) -> func.HttpResponse:
        link = f"{self._settings.status_url}/api/messages/{message_id}"
        return func.HttpResponse(
            json.dumps({"id": message_id, "state": state, "links": {"status": link}}),
            status_code=HTTPStatus.ACCEPTED,
            headers={"Location": link},
            mimetype="application/json",
        )


def _submission(request: func.HttpRequest, limit: int) -> _Submission:
    payload = _payload(request, limit)
    content_type = request.headers.get("content-type") or "application/octet-stream"
    key = _idempotency_key(request)
    message_id = key.message_id() if key else str(uuid.uuid4())
    try:
        context = MessageHeader(message_id, content_type)
    except ValueError as error:
        raise InvalidRequestError(HTTPStatus.BAD_REQUEST, f"Content-Type: {error}") from None
    trace = traceparent(request.headers.get(HEADER))
    fingerprint = key.fingerprint(payload, content_type) if key else None
    return _Submission(context, payload, trace, fingerprint)


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


def _idempotency_key(request: func.HttpRequest) -> IdempotencyKey | None:
    header = request.headers.get("idempotency-key")
    try:
        return None if header is None else IdempotencyKey.parse(header)
    except ValueError as error:
        raise InvalidRequestError(HTTPStatus.BAD_REQUEST, f"Idempotency-Key: {error}") from None
