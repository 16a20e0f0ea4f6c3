"""The sender: accepts payloads over HTTP, seals them, and puts them on the queue of messages.

The ledger knows of a message before the queue does, so that no message is without its row.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from http import HTTPStatus

import azure.functions as func

from shared.apps.calling import calling
from shared.apps.failures import FailureAnswers, InvalidRequestError
from shared.apps.sender_clients import SenderClients, connect_clients
from shared.apps.submission import Submission, accepted
from shared.azure.queues import BusError, MessageTooLargeError
from shared.concurrency.single_flight import SingleFlight
from shared.ledger.errors import LedgerError, LedgerUnavailableError
from shared.message.bus_message import outgoing
from shared.message.envelope import seal
from shared.message.formats import EMITTED_FORMAT
from shared.message.message_id import initial_bus_id
from shared.message.state import State
from shared.settings.settings import SenderSettings
from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.logs import of_message
from shared.telemetry.metrics import MESSAGES

# What a caller can wait for; less than the 230 s of Azure's front end, and than functionTimeout.
_ANSWER_SECONDS = 100.0
_LEDGER = "the ledger"
_FAILURES = FailureAnswers(
    unavailable="the message was not accepted, because a service that it needs is not available; "
    "send it again",
    fault="the message was not accepted, because of a fault in the relay",
)
_log = logging.getLogger(__name__)


def blueprint(settings: SenderSettings) -> func.Blueprint:
    """Register the sender's function."""
    functions = func.Blueprint()
    sender = Sender(
        connect_clients(settings),
        settings.max_payload_bytes,
        settings.status_url,
        binds_keys_to_callers=settings.binds_keys_to_callers,
        format_emitted=settings.format_emitted,
    )

    @functions.route("messages", methods=["POST"])
    async def send(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        with calling(context, lambda: TraceContext.from_headers(req.headers)):
            return await sender.answer(req)

    return functions


class Sender:
    """What is done with a request to send a message.

    `max_payload_bytes` is the largest payload accepted; `status_url` is where the tracker is.
    `binds_keys_to_callers`: the platform authenticates callers, and each has keys of their own.
    `format_emitted` is the number of the format that messages are sealed in.
    """

    def __init__(
        self,
        clients: SenderClients,
        max_payload_bytes: int,
        status_url: str,
        *,
        binds_keys_to_callers: bool = False,
        format_emitted: int = EMITTED_FORMAT,
    ) -> None:
        self._clients = clients
        self._outages = clients.outages
        self._max_payload_bytes = max_payload_bytes
        self._status_url = status_url
        self._binds_keys_to_callers = binds_keys_to_callers
        self._format_emitted = format_emitted
        self._preparing: asyncio.Future[None] | None = None
        self._flights: SingleFlight[tuple[str, bytes], State] = SingleFlight()

    async def answer(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 202 once the message is on the queue, and a problem in every other case."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._handle(request)
        except Exception as error:  # noqa: BLE001 - every answer of this interface is a problem
            problem = _FAILURES.problem_for(error)
            if problem.status is HTTPStatus.INTERNAL_SERVER_ERROR:
                # The caller learns nothing of the inside; the log has it.
                _log.exception("not accepted")
            else:
                _log.debug("not accepted: %s", error)
            return problem.response()

    async def _handle(self, request: func.HttpRequest) -> func.HttpResponse:
        submission = Submission.from_request(
            request,
            self._max_payload_bytes,
            binds_keys_to_callers=self._binds_keys_to_callers,
        )
        # Before the ledger has a row of it: each refused try without a key would leave another one.
        with self._clients.admission.admitted():
            state = await self._accept_once(submission)
        return accepted(submission.header.message_id, state, self._status_url)

    async def _accept_once(self, submission: Submission) -> State:
        if submission.fingerprint is None:
            return await self._accept_and_enqueue(submission)
        # Requests with one key at the same time are one message: they share its outcome.
        return await self._flights.run(
            (submission.header.message_id, submission.fingerprint),
            lambda: self._accept_and_enqueue(submission),
        )

    async def _accept_and_enqueue(self, submission: Submission) -> State:
        """Return where the message is: on the queue, or further if it was sent before."""
        if self._preparing is None:
            # Once, and beside the ledger: a cold app's first message waits for the longest of
            # what it needs instead of for all of it in turn.
            self._preparing = asyncio.ensure_future(self._clients.prepare())
        with self._outages.watching(_LEDGER, LedgerUnavailableError):
            entry = await self._clients.ledger.accept(submission.as_new(datetime.now(UTC)))
        if not submission.must_be_queued(entry):
            return entry.state
        await self._enqueue(submission)
        return State.QUEUED

    async def _enqueue(self, submission: Submission) -> None:
        header, payload = submission.header, submission.payload
        key, wrapped = await self._clients.keys.acquire(len(payload))
        with recording.span("seal"):
            token = seal(payload, header, key, wrapped, self._format_emitted)
        bus_id = initial_bus_id(
            header.message_id, submission.fingerprint, await self._clients.bus_id_key()
        )
        try:
            await self._clients.send(outgoing(token, bus_id, submission.trace))
        except MessageTooLargeError:
            # The configured limit is too high for this queue, so it is not the one to name.
            raise InvalidRequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "the body is larger than a message may be: sealed, and with what retries add, it "
                "does not fit into the queue",
            ) from None
        except BusError as error:
            self._clients.admission.not_sent(error)
            raise
        self._clients.admission.sent(len(payload))
        recording.count(MESSAGES, 1, {"relay.state": State.QUEUED.value})
        about = of_message(header.message_id, trace=submission.trace)
        _log.info("queued %s: %d bytes", header.message_id, len(payload), extra=about)
        await self._record_queued(header.message_id, wrapped.version)

    async def _record_queued(self, message_id: str, key_version: str) -> None:
        try:
            with self._outages.watching(_LEDGER, LedgerUnavailableError):
                await self._clients.ledger.queued(message_id, key_version, datetime.now(UTC))
        except LedgerError as error:
            # The message is on the queue whatever the ledger says; its receipts will correct that.
            level = self._outages.level
            _log.log(level, "%s stays accepted in the ledger: %s", message_id, error)
