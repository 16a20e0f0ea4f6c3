"""Bodies of Service Bus messages as the host binds them: by `dataType` and `cardinality`.

`GeneralScriptBindingProvider` of azure-functions-host makes a .NET type of the two: `string`,
`byte[]`, or without a data type `object`, and an array of it for `many`. The Service Bus extension
converts the messages to it, and `GrpcMessageConversionExtensions.ToRpc` that to the worker's value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum

from local.host.service_bus.received import TriggerMessage
from local.host.worker.messages import Data

_MAX_DEPTH = 64  # MaxDepth of Json.NET
_SURROGATE = re.compile("[\ud800-\udfff]")  # a lone one is not UTF-8, so gRPC cannot carry it


class DataType(StrEnum):
    """What a trigger declares as its `dataType`; UNDEFINED if it declares none."""

    UNDEFINED = "undefined"
    STRING = "string"
    BINARY = "binary"


class BindingError(Exception):
    """The host cannot convert a message to what its function takes: Python is not called."""


def one(message: TriggerMessage, data_type: DataType) -> Data:
    """Return the body for a function of cardinality one. Raises BindingError."""
    body = _data(message)
    return ("bytes", body) if data_type is DataType.BINARY else ("string", _text(body))


def many(messages: Sequence[TriggerMessage], data_type: DataType) -> Data:
    """Return all bodies for one of cardinality many. Raises BindingError for all if one fails."""
    bodies = [_data(message) for message in messages]
    if data_type is DataType.BINARY:
        return "collection_bytes", bodies
    if data_type is DataType.STRING:
        # Empty ones are left out, unless the worker declares that it takes them: Azure's does not.
        return "collection_string", [_text(body) for body in bodies if body]
    parsed = json.dumps([_parsed(_text(body)) for body in bodies], ensure_ascii=False)
    return "json", _SURROGATE.sub("\ufffd", parsed)


def _data(message: TriggerMessage) -> bytes:
    if message.body_type != "data":
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
    if depth is None or depth > _MAX_DEPTH:
        raise BindingError(
            "binding to an object uses Json.NET, and a body is not JSON or nested too deeply; "
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
