"""The tracker: writes receipts into the ledger, and tells from it where messages are."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, List  # noqa: UP035 - see where it is used
from urllib.parse import urlencode

import azure.functions as func

from shared.apps.recorder import LEDGER, Recorder
from shared.azure.identities import credential
from shared.azure.queues import QueueSender, connect
from shared.azure.vault import VaultSecret
from shared.errors import RelayError
from shared.ledger.errors import LedgerUnavailableError
from shared.ledger.ledger import Ledger, LedgerEntry, Position
from shared.message.message_id import is_message_id, spellings
from shared.message.state import State
from shared.settings.settings import TrackerSettings
from shared.standards.problems import problem
from shared.telemetry.outages import Outages

# What a caller can wait for; less than the 230 s of Azure's front end, and than functionTimeout.
_ANSWER_SECONDS = 60.0
_RETRY_AFTER_SECONDS = 5
_PAGE = 50
_LONGEST_PAGE = 200
_log = logging.getLogger(__name__)


class InvalidQueryError(RelayError):
    """A query that can never be answered; the text says what to ask instead."""


def blueprint(settings: TrackerSettings) -> func.Blueprint:
    """Register the tracker's functions."""
    functions = func.Blueprint()
    tracker = Tracker(settings)

    @functions.service_bus_queue_trigger(
        arg_name="receipts",
        queue_name="%RELAY_QUEUE_RECEIPTS%",
        connection="RELAY_BUS",
        # Without it the host parses each body as JSON, and one that is none fails its whole batch.
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.MANY,
        # These two of host.json never reach a Python function.
        auto_complete_messages=True,
        max_message_batch_size=100,
    )
    # Azure's worker takes typing.List and refuses list[...], function and app together:
    # https://github.com/Azure/azure-functions-python-worker, Registry.validate_function_params
    async def record(receipts: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
        await tracker.record(receipts)

    @functions.route("messages/{id}", methods=["GET"])
    async def status(req: func.HttpRequest) -> func.HttpResponse:
        return await tracker.answer(tracker.status, req)

    @functions.route("messages", methods=["GET"])
    async def messages(req: func.HttpRequest) -> func.HttpResponse:
        return await tracker.answer(tracker.messages, req)

    return functions


class Tracker:
    """The ledger's keeper, with the clients of its two identities."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._outages = Outages(_log)
        bus = connect(settings.bus_namespace, credential(settings.bus_identity), settings.network)
        self._ledger = Ledger(
            VaultSecret(
                settings.database_secret,
                credential(settings.database_identity),
                settings.database_secret_seconds,
                settings.network,
            ),
            settings.network.ca_bundle,
        )
        self._recorder = Recorder(
            self._ledger.record,
            QueueSender(bus, settings.rejected_queue).send,
            settings.receipt_wait_seconds,
            self._outages,
        )

    async def record(self, messages: Sequence[func.ServiceBusMessage]) -> None:
        """Return when all receipts are written; what it raises leaves them on the queue."""
        await self._recorder.record(messages)

    async def answer(
        self,
        answer: Callable[[func.HttpRequest], Awaitable[func.HttpResponse]],
        request: func.HttpRequest,
    ) -> func.HttpResponse:
        """Answer, and in every other case than asked for by a problem document."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await answer(request)
        except (LedgerUnavailableError, TimeoutError) as error:
            self._outages.failed(LEDGER, error)
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the ledger is away; ask again",
                retry_after=_retry_after(error),
            )
        except Exception:  # noqa: BLE001 - every answer of this interface is a problem document
            # The caller learns nothing of the inside; the log has it.
            _log.exception("not answered")
            return problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "not answered, because of a fault in the relay"
            )

    async def status(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 200 with where a message is and since when, or 404."""
        for message_id in spellings(request.route_params["id"]):
            entry = await self._ledger.entry(message_id)
            self._outages.works(LEDGER)
            if entry:
                return _json(_public(entry))
        return problem(HTTPStatus.NOT_FOUND, "the ledger has no message of this id")

    async def messages(self, request: func.HttpRequest) -> func.HttpResponse:
        """Answer 200 with a page of messages, newest first, and the link to the next page.

        A page goes on after a message, not after a count of them: what arrives meanwhile moves
        nothing from one page to another.
        """
        try:
            state, after, limit = _query(request.params)
        except InvalidQueryError as error:
            return problem(HTTPStatus.BAD_REQUEST, str(error))
        # One more than asked for tells whether there is a next page.
        entries = await self._ledger.entries(state, after, limit + 1)
        self._outages.works(LEDGER)
        page = entries[:limit]
        more = _link(state, page[-1].position, limit) if len(entries) > limit else None
        return _json({"messages": [_public(entry) for entry in page], "next": more})


def _retry_after(error: LedgerUnavailableError | TimeoutError) -> float:
    asked = error.retry_after if isinstance(error, RelayError) else None
    return asked or _RETRY_AFTER_SECONDS


def _public(entry: LedgerEntry) -> dict[str, Any]:
    times = {
        "accepted": entry.accepted_at,
        "queued": entry.queued_at,
        "retrying": entry.retrying_at,
        "rejected": entry.rejected_at,
        "delivered": entry.delivered_at,
    }
    return {
        "id": entry.id,
        "state": entry.state,
        "attempts": entry.attempts,
        "detail": entry.detail,
        "content_type": entry.content_type,
        "size": entry.size,
        "key_version": entry.key_version,
        "times": {state: time.isoformat() for state, time in times.items() if time},
    }


def _query(parameters: Any) -> tuple[State | None, Position | None, int]:
    # `code` is the host's: a caller's key, for those who cannot send a header.
    given = {name for name in parameters if name.lower() != "code"}
    if unknown := given - {"state", "after", "limit"}:
        named = ", ".join(sorted(name[:20] for name in unknown))
        raise InvalidQueryError(f"unknown: {named}; there are state, after and limit")
    return (
        _state(parameters.get("state")),
        _position(parameters.get("after")),
        _limit(parameters.get("limit")),
    )


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    if text not in set(State):
        raise InvalidQueryError(f"state must be one of {', '.join(State)}")
    return State(text)


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10) or not (
        1 <= int(text) <= _LONGEST_PAGE
    ):
        raise InvalidQueryError(f"limit must be a whole number from 1 to {_LONGEST_PAGE}")
    return int(text)


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    time, _, message_id = text.partition("~")
    try:
        at = datetime.fromisoformat(time)
        if at.tzinfo is not None and is_message_id(message_id):
            return Position(at.astimezone(UTC), message_id)
    except (ValueError, OverflowError):
        pass
    raise InvalidQueryError("after must be taken from the link to the next page")


def _link(state: State | None, last: Position, limit: int) -> str:
    query: dict[str, str] = {"state": state} if state else {}
    query |= {"after": f"{last.at.isoformat()}~{last.id}", "limit": str(limit)}
    return f"/api/messages?{urlencode(query)}"


def _json(body: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), mimetype="application/json")
