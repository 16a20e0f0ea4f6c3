"""The HTTP functions of sender and tracker behind the host's server, in this process.

The ledger is a real one, in SQLite; the queue keeps nothing, and one data key seals everything.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

import azure.functions as func
from aiohttp import web
from azure.servicebus import ServiceBusMessage

from local.host.bindings import BoundFunction, HttpFunction
from local.host.http import HttpOptions, http_app
from local.host.invocation import Invoker
from local.host.keys import AppKeys
from local.host.routes import Route
from local.host.tracing import Trace
from local.host.worker.messages import Data
from shared.apps.admission import Admission
from shared.apps.recorder import Recorder
from shared.apps.sender import Sender
from shared.apps.sender_clients import SenderClients
from shared.apps.tracker import Tracker
from shared.apps.tracker_clients import TrackerClients
from shared.ledger.ledger import Ledger
from shared.message.envelope import DataKey, WrappedKey
from shared.message.message_id import bus_id_key
from shared.telemetry.outages import Outages
from tests.databases import Secret, sqlite
from tests.fuzz.socketless import SocketlessServer

MAX_PAYLOAD = 200  # bytes
_KEY = "https://payload.vault.azure.net/keys/payload/0123456789abcdef0123456789abcdef"
_GET = frozenset({"GET", "HEAD"})
_FUNCTIONS = (
    HttpFunction("send", "req", Route.parse("messages"), frozenset({"POST"})),
    HttpFunction("status", "req", Route.parse("messages/{id}"), _GET),
    HttpFunction("messages", "req", Route.parse("messages"), _GET),
    HttpFunction("states", "req", Route.parse("states"), _GET),
)


class InProcessInvoker(Invoker):
    """Calls the functions here, with no worker between; they answer all errors themselves."""

    def __init__(self, sender: Sender, tracker: Tracker) -> None:
        super().__init__(dispatcher=None, timeout=timedelta(minutes=1))  # type: ignore[arg-type]
        self._functions = {
            "send": sender.answer,
            "status": tracker.status,
            "messages": tracker.messages,
            "states": tracker.states,
        }

    async def call(
        self, function: BoundFunction, given: Data, metadata: Mapping[str, Data], trace: Trace
    ) -> Data:
        del metadata, trace
        value = given[1]
        answer = await self._functions[function.name](
            func.HttpRequest(
                value["method"],
                value["url"],
                headers=value["headers"],
                params=value["query"],
                route_params=value["params"],
                body=value["body"][1],
            )
        )
        return "http", {
            "status": answer.status_code,
            "headers": dict(answer.headers),
            "cookies": [],
            "body": ("bytes", answer.get_body()),
        }


class _OneKey:
    def __init__(self) -> None:
        self._key = DataKey.generate()

    async def acquire(self, size: int) -> tuple[DataKey, WrappedKey]:
        del size
        return self._key, WrappedKey(_KEY, b"wrapped")


async def _nothing(*_: object) -> None:
    pass


async def _keep_none(_: ServiceBusMessage) -> None:
    pass


async def relay_app(server: SocketlessServer, keys: AppKeys) -> web.Application:
    """Return the application of a host that has all of these functions."""
    url = await sqlite(server.folder)
    ledger = Ledger(Secret(url))
    server.stack.push_async_callback(ledger.close)
    outages = Outages(logging.getLogger(__name__))

    async def of_ids() -> bytes:
        return bus_id_key(url)

    admission = Admission(ledger.backlog, 100)
    clients = SenderClients(_OneKey(), _keep_none, ledger, outages, of_ids, _nothing, admission)
    recorder = Recorder(ledger.record, _keep_none, _keep_none, 1.0, outages)
    invoker = InProcessInvoker(
        Sender(clients, MAX_PAYLOAD, "https://tracker.example"),
        Tracker(TrackerClients(ledger, recorder, outages)),
    )
    names = [function.name for function in _FUNCTIONS]
    return http_app(_FUNCTIONS, HttpOptions("api", names, keys), invoker)
