"""Requests and their responses over a pair of links, to `$cbs` and to a queue's `$management`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from uuid import uuid4

from local.bus.amqp import performatives as amqp
from local.bus.amqp.encoding import encode
from local.bus.amqp.message import application_properties, parse, properties_fields, value_body
from local.bus.amqp.values import Described, ULong, Value
from local.host.service_bus.connection import BusConnection, BusLinkError

_SECONDS = 30.0
_CREDIT = 100
_SOURCE, _TARGET = 0x28, 0x29
_PROPERTIES, _APPLICATION, _VALUE = 0x73, 0x74, 0x77
_FAILED = 300
Response = tuple[Mapping[Value, Value], Value]  # its application properties and its body


class RequestLink:
    """Makes requests of one node, any number at once."""

    def __init__(self, connection: BusConnection, node: str) -> None:
        self._connection = connection
        self._reply_to = f"replies-{uuid4()}"
        self._waiting: dict[str, asyncio.Future[Response]] = {}
        self._payload = bytearray()
        self._is_lost: BusLinkError | None = None
        self._received = 0
        self._sending = connection.add_link(_Ignored(self))
        self._receiving = connection.add_link(self)
        here, there = [self._reply_to], [node]
        for handle, role, source, target in (
            (self._sending, amqp.SENDER, here, there),
            (self._receiving, amqp.RECEIVER, there, here),
        ):
            connection.send(
                amqp.Attach(
                    f"{self._reply_to}-{handle}",
                    handle,
                    role,
                    amqp.SETTLED,
                    0,
                    Described(ULong(_SOURCE), [*source]),
                    Described(ULong(_TARGET), [*target]),
                    initial_delivery_count=0,
                )
            )
        connection.flow(self._receiving, 0, _CREDIT)

    async def request(
        self, operation: str, properties: Mapping[Value, Value], body: Value
    ) -> Value:
        """Return the body of the response. Raises BusLinkError and TimeoutError."""
        if self._is_lost:
            raise self._is_lost
        request_id = str(uuid4())
        waiting: asyncio.Future[Response] = asyncio.Future()
        self._waiting[request_id] = waiting
        fields: list[Value] = [None] * 13
        fields[0], fields[4] = request_id, self._reply_to
        message = (
            _section(_PROPERTIES, fields)
            + _section(_APPLICATION, {"operation": operation, **properties})
            + _section(_VALUE, body)
        )
        try:
            self._connection.transfer(self._sending, message)
            async with asyncio.timeout(_SECONDS):
                answered, answer = await waiting
        finally:
            del self._waiting[request_id]
        status = answered.get("statusCode", answered.get("status-code"))
        if not isinstance(status, int) or status >= _FAILED:
            named = answered.get("errorCondition")
            condition = named if isinstance(named, str) else f"status {status!r}"
            said = answered.get("statusDescription") or answered.get("status-description")
            raise BusLinkError(condition, said if isinstance(said, str) else "")
        return answer

    def on_frame(self, performative: amqp.Performative, payload: bytes) -> None:
        """Take a response."""
        if not isinstance(performative, amqp.Transfer):
            return
        self._payload += payload
        if performative.more:
            return
        message = parse(bytes(self._payload))
        self._payload.clear()
        self._received += 1
        if not self._received % (_CREDIT // 2):
            self._connection.flow(self._receiving, self._received, _CREDIT)
        waiting = self._waiting.get(str(properties_fields(message)[5]))
        if waiting and not waiting.done():
            waiting.set_result((application_properties(message), value_body(message)))

    def on_lost(self, error: BusLinkError) -> None:
        """Let all that wait know."""
        self._is_lost = error
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)


class _Ignored:
    """The link that requests leave on: only its end matters."""

    def __init__(self, requests: RequestLink) -> None:
        self._requests = requests

    def on_frame(self, performative: amqp.Performative, payload: bytes) -> None:
        pass

    def on_lost(self, error: BusLinkError) -> None:
        self._requests.on_lost(error)


def _section(code: int, content: Value) -> bytes:
    return encode(Described(ULong(code), content))
