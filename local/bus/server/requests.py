"""Requests and responses over a pair of links, as $cbs and $management have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import NOT_IMPLEMENTED, AmqpError
from local.bus.amqp.message import (
    application_properties,
    encode_response,
    parse,
    properties_fields,
    value_body,
)
from local.bus.amqp.values import Value
from local.bus.server.link import Link


@dataclass(frozen=True)
class Request:
    """A request: its operation, its other properties, its body."""

    message_id: Value
    reply_to: str | None
    operation: str
    properties: Mapping[Value, Value]
    body: Value


def read_request(first: amqp.Transfer, data: bytes) -> Request:
    """Read a request from an encoded message. Raises DecodeError and AmqpError."""
    if first.state is not None:
        raise AmqpError(NOT_IMPLEMENTED, "A request cannot be a part of a transaction.")
    message = parse(data)
    fields = properties_fields(message)
    properties = application_properties(message)
    return Request(
        message_id=fields[0],
        reply_to=fields[4] if isinstance(fields[4], str) else None,
        operation=str(properties.get("operation", "")),
        properties=properties,
        body=value_body(message),
    )


def send_response(
    link: Link, request: Request, properties: Mapping[Value, Value], body: Value
) -> None:
    """Send a response on the link that the client opened for it."""
    payload = encode_response(request.message_id, properties, body)
    link.session.reply(link.address, request.reply_to, payload)
