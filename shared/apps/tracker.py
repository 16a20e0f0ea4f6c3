"""The tracker: writes receipts into the ledger, and answers from it where messages are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import List  # noqa: UP035 - see where it is used

import azure.functions as func

from shared.apps import message_times
from shared.apps.calling import handling_batch
from shared.apps.failures import FailureAnswers
from shared.apps.listing import Query, counts_answer, entry_answer
from shared.apps.recorder import LEDGER
from shared.apps.tracker_clients import TrackerClients, connect_clients
from shared.ledger.errors import LedgerUnavailableError
from shared.message.message_id import spellings
from shared.settings.settings import TrackerSettings
from shared.standards.problems import Problem

# What a caller can wait for; less than the 230 s of Azure's front end, and than functionTimeout.
_ANSWER_SECONDS = 60.0
_METHODS = ("GET", "HEAD")  # whatever answers GET answers HEAD: RFC 9110 section 9.1
_FAILURES = FailureAnswers(
    unavailable="the ledger is not available; ask again",
    fault="not answered, because of a fault in the relay",
)
_UNKNOWN = Problem(HTTPStatus.NOT_FOUND, "the ledger has no message of this id")
_log = logging.getLogger(__name__)


def blueprint(settings: TrackerSettings) -> func.Blueprint:
    """Register the tracker's functions."""
    message_times.read_at_once()
    functions = func.Blueprint()
    clients = connect_clients(settings)
    tracker = Tracker(clients)

    @functions.service_bus_queue_trigger(
        arg_name="receipts",
        queue_name="%RELAY_QUEUE_RECEIPTS%",
        connection="RELAY_BUS",
        # Without it the host parses each body as JSON, and one that is not fails its whole batch.
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.MANY,
        # These two of host.json never reach a Python function.
        auto_complete_messages=True,
        max_message_batch_size=100,
    )
    # Azure's worker takes typing.List and refuses list[...], function and app together:
    # https://github.com/Azure/azure-functions-python-worker, Registry.validate_function_params
    async def record(receipts: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
        with handling_batch(receipts, settings.receipts_queue):
            await clients.recorder.record(receipts)

    @functions.route("messages/{id}", methods=_METHODS)
    async def status(req: func.HttpRequest) -> func.HttpResponse:
        return await tracker.status(req)

    @functions.route("messages", methods=_METHODS)
    async def messages(req: func.HttpRequest) -> func.HttpResponse:
        return await tracker.messages(req)

    @functions.route("states", methods=_METHODS)
    async def states(req: func.HttpRequest) -> func.HttpResponse:
        return await tracker.states(req)

    return functions


class Tracker:
    """Answers from the ledger; in every case but success by a problem document."""

    def __init__(self, clients: TrackerClients) -> None:
        self._ledger = clients.ledger
        self._outages = clients.outages

    async def status(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 200 with where a message is and since when, or 404."""
        return await self._answer(lambda: self._status(request.route_params["id"]))

    async def messages(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 200 with a page of messages, newest first, and the link to the next page."""
        return await self._answer(lambda: self._messages(request))

    async def states(self, _: func.HttpRequest) -> func.HttpResponse:
        """Answer 200 with the number of messages in each state, and the age of the oldest."""
        return await self._answer(self._states)

    async def _states(self) -> func.HttpResponse:
        counts = await self._ledger.counts()
        self._outages.works(LEDGER)
        return counts_answer(counts, datetime.now(UTC))

    async def _status(self, text: str) -> func.HttpResponse:
        for message_id in spellings(text):
            entry = await self._ledger.entry(message_id)
            self._outages.works(LEDGER)
            if entry:
                return entry_answer(entry)
        return _UNKNOWN.response()

    async def _messages(self, request: func.HttpRequest) -> func.HttpResponse:
        query = Query.from_parameters(request.params)
        entries = await self._ledger.entries(query.state, query.after, query.limit + 1)
        self._outages.works(LEDGER)
        return query.page(entries)

    async def _answer(
        self, answer: Callable[[], Awaitable[func.HttpResponse]]
    ) -> func.HttpResponse:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await answer()
        except Exception as error:  # noqa: BLE001 - every answer of this interface is a problem
            if isinstance(error, LedgerUnavailableError | TimeoutError):
                self._outages.failed(LEDGER, error)
            problem = _FAILURES.problem_for(error)
            if problem.status is HTTPStatus.INTERNAL_SERVER_ERROR:
                # The caller learns nothing of the inside; the log has it.
                _log.exception("not answered")
            return problem.response()
