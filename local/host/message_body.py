"""Bodies of Service Bus messages as the host binds them: by `dataType` and `cardinality`.

`GeneralScriptBindingProvider` of azure-functions-host makes a .NET type of the two: `string`,
`byte[]`, or without a data type `object`, and an array of it for `many`. The Service Bus extension
makes that of the messages, `GrpcMessageConversionExtensions.ToRpc` a value for the worker of that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.host.worker.messages import Data

_DEEPEST = 64  # MaxDepth of Json.NET
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair: no UTF-8, so nothing that gRPC carries


class DataType(StrEnum):
    """What a trigger declares as its `dataType`; UNDEFINED stands for none."""

    UNDEFINED = "undefined"
    STRING = "string"
    BINARY = "binary"


class BindingError(Exception):
    """The host cannot make of a message what its function takes: Python is not called."""


def one(message: ServiceBusReceivedMessage, data_type: DataType) -> Data:
    """Return the body for a function of cardinality one. Raises BindingError."""
    body = _octets(message)
    return ("bytes", body) if data_type is DataType.BINARY else ("string", _text(body))


def many(messages: Sequence[ServiceBusReceivedMessage], data_type: DataType) -> Data:
    """Return all bodies for one of cardinality many. Raises BindingError, for all if for one."""
    bodies = [_octets(message) for message in messages]
    if data_type is DataType.BINARY:
        return "collection_bytes", bodies
    if data_type is DataType.STRING:
        # Empty ones are left out, unless the worker says that it wants them: Azure's does not.
        return "collection_string", [_text(body) for body in bodies if body]
    parsed = json.dumps([_parsed(_text(body)) for body in bodies], ensure_ascii=False)
    return "json", _HALF.sub("\ufffd", parsed)


def _octets(message: ServiceBusReceivedMessage) -> bytes:
    if message.body_type is not AmqpMessageBodyType.DATA:
        raise BindingError("the body is an AMQP value or sequence, which cannot be bound")
    return b"".join(message.body)


def _text(body: bytes) -> str:
    return body.decode("utf-8", errors="replace")


def _parsed(text: str) -> object:
    """Read JSON as Json.NET does, to which an empty text is null."""
    if not text.strip():
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value, depth = None, None
    else:
        depth = _depth(value)
    if depth is None or depth > _DEEPEST:
        raise BindingError(
            "binding to an object uses Json.NET, and a body is no JSON or too deep; "
            "a trigger with dataType 'binary' takes any body"
        )
    return value


def _depth(value: object) -> int:
    levels, depth = [value], 0
    while levels := [
        inner
        for outer in levels
        if isinstance(outer, dict | list)
        for inner in [None, *(outer.values() if isinstance(outer, dict) else outer)]
    ]:
        depth += 1
    return depth
