"""The sender: takes payloads over HTTP, seals them, and puts them on the queue of messages."""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus

import azure.functions as func

from shared.bus_message import outgoing
from shared.data_keys import Limits, SealingKeys
from shared.envelope import Context, seal
from shared.idempotency import IdempotencyKey
from shared.identities import credential
from shared.problems import problem
from shared.queues import BusError, MessageTooLargeError, QueueSender, connect
from shared.settings import SenderSettings
from shared.trace_context import HEADER, traceparent
from shared.vault import VaultDeniedError, VaultKey, VaultUnavailableError

_RETRY_AFTER_SECONDS = 5
_log = logging.getLogger(__name__)


class InvalidRequestError(Exception):
    """A request that can never be taken as it is. `limit` is in bytes, where it is too large."""

    def __init__(self, status: HTTPStatus, detail: str, limit: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = {} if limit is None else {"limit": limit}


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
        key = VaultKey(
            settings.payload_key, credential(settings.encrypt_identity), settings.network
        )
        self._keys = SealingKeys(
            key.encrypt,
            Limits(settings.data_key_messages, settings.data_key_seconds, settings.data_key_bytes),
        )
        bus = connect(settings.bus_namespace, credential(settings.bus_identity), settings.network)
        self._messages = QueueSender(bus, settings.messages_queue)

    async def answer(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 202 once the message is on the queue, and a problem in every other case."""
        try:
            return await self._take(request)
        except InvalidRequestError as error:
            return problem(error.status, error.detail, **error.members)
        except (VaultUnavailableError, VaultDeniedError, BusError) as error:
            _log.warning("not taken: %s", error)
            wait = getattr(error, "retry_after", None) or _RETRY_AFTER_SECONDS
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the message was not taken, because a service that it needs is away; send it again",
                retry_after=wait,
            )
        except Exception:  # noqa: BLE001 - every answer of this interface is a problem document
            # The caller learns nothing of the inside; the log has it.
            _log.exception("not taken")
            return problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "the message was not taken, because of a fault in the relay",
            )

    async def _take(self, request: func.HttpRequest) -> func.HttpResponse:
        payload = _payload(request, self._settings.max_payload_bytes)
        context = _context(request, payload)
        key, wrapped = await self._keys.take(len(payload))
        token = seal(payload, context, key, wrapped)
        trace = traceparent(request.headers.get(HEADER))
        try:
            await self._messages.send(outgoing(token, context.message_id, trace))
        except MessageTooLargeError:
            # The configured limit is too high for this queue, so it is not the one to name.
            raise InvalidRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "the body is larger than a message may be: sealed, it does not fit into the queue",
            ) from None
        _log.info("queued %s: %d bytes", context.message_id, len(payload))
        return self._accepted(context.message_id)

    def _accepted(self, message_id: str) -> func.HttpResponse:
        link = f"{self._settings.status_url}/api/messages/{message_id}"
        return func.HttpResponse(
            json.dumps({"id": message_id, "status": "queued", "links": {"status": link}}),
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


def _context(request: func.HttpRequest, payload: bytes) -> Context:
    content_type = request.headers.get("content-type") or "application/octet-stream"
    try:
        return Context(_message_id(request, payload, content_type), content_type)
    except ValueError as error:
        raise InvalidRequestError(HTTPStatus.BAD_REQUEST, f"Content-Type: {error}") from None


def _message_id(request: func.HttpRequest, payload: bytes, content_type: str) -> str:
    header = request.headers.get("idempotency-key")
    if header is None:
        return str(uuid.uuid4())
    try:
        return IdempotencyKey.parse(header).message_id(payload, content_type)
    except ValueError as error:
        raise InvalidRequestError(HTTPStatus.BAD_REQUEST, f"Idempotency-Key: {error}") from None
