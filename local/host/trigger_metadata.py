"""What a function gets of a Service Bus message beside its body: the trigger's metadata.

The names and types are those of `ServiceBusTriggerBindingStrategy` in the Service Bus extension
(azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.ServiceBus 5), the values for the worker
those of `GrpcMessageConversionExtensions.ToRpc` in azure-functions-host: text as text, everything
else as JSON by Json.NET, and null values not at all. So lock times, time to live, state and
dead-letter reasons never reach a function.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from local.host.service_bus.received import TriggerMessage
from local.host.tracing import Trace
from local.host.worker.messages import Data

_NEVER = "9999-12-31T23:59:59.9999999"  # DateTimeOffset.MaxValue: a message that never expires
_TEXTS = frozenset(
    {
        *("DeadLetterSource", "LockToken", "MessageId", "ContentType", "ReplyTo", "To", "Subject"),
        *("Label", "CorrelationId", "SessionId", "ReplyToSessionId", "PartitionKey"),
    }
)
_LONGS = frozenset({"SequenceNumber"})  # an array of them has a kind of its own
# Objects of .NET, as Json.NET writes them; a function cannot use them.
_OBJECTS: Mapping[str, Data] = dict.fromkeys(
    (
        *("MessageReceiver", "MessageSession", "MessageActions", "SessionActions"),
        *("ReceiveActions", "Client"),
    ),
    ("json", "{}"),
)


def of_one(message: TriggerMessage) -> Mapping[str, Data]:
    """Return the metadata for a call with one message."""
    found: dict[str, Data] = dict(_OBJECTS)
    for name, value in _values(message).items():
        if value is not None:
            found[name] = ("string", value) if name in _TEXTS else ("json", _json(value))
    return found


def of_many(messages: Sequence[TriggerMessage]) -> Mapping[str, Data]:
    """Return the metadata for a call with several: an array by each name.

    A text that is missing or empty leaves no gap: those of later messages move up.
    """
    found: dict[str, Data] = dict(_OBJECTS)
    rows = [_values(message) for message in messages]
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in _TEXTS:
            found[f"{name}Array"] = "collection_string", [value for value in values if value]
        elif name in _LONGS:
            found[f"{name}Array"] = "collection_sint64", values
        else:
            found[f"{name}Array"] = "json", _json(values)
    return found


def trace_of(message: TriggerMessage, *, is_open_telemetry: bool = False) -> Trace:
    """Return the trace of the call for one message, below the sender's.

    As seen on the host: with `"telemetryMode": "OpenTelemetry"` both application properties name
    it, and `traceparent` comes first, with its `tracestate`; without, `Diagnostic-Id` alone does.
    """
    properties = _properties(message)
    if is_open_telemetry and Trace.is_parent(properties.get("traceparent")):
        return Trace.below(properties["traceparent"], properties.get("tracestate", ""))
    return Trace.below(properties.get("Diagnostic-Id"))


def _values(message: TriggerMessage) -> Mapping[str, Any]:
    properties = _properties(message)
    enqueued = _time(message.enqueued_time_utc)
    expires = _time(message.expires_at_utc) if message.expires_at_utc else _NEVER
    return {
        # The header counts earlier deliveries, the .NET client this one too.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "DeadLetterSource": message.dead_letter_source,
        "LockToken": str(message.lock_token),
        # Of type DateTime without a kind, so that it is written without its zone, which is UTC.
        "ExpiresAtUtc": expires,
        "ExpiresAt": f"{expires}+00:00",
        "EnqueuedTimeUtc": enqueued,
        "EnqueuedTime": f"{enqueued}+00:00",
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "ReplyTo": message.reply_to,
        "SequenceNumber": message.sequence_number,
        "To": message.to,
        "Subject": message.subject,
        "Label": message.subject,
        "CorrelationId": message.correlation_id,
        "ApplicationProperties": properties,
        "UserProperties": properties,
        "SessionId": message.session_id,
        "ReplyToSessionId": message.reply_to_session_id,
        "PartitionKey": message.partition_key,
    }


def _properties(message: TriggerMessage) -> Mapping[str, Any]:
    given: Mapping[str | bytes, object] = message.application_properties or {}
    return {_text(name): _value(value) for name, value in given.items()}


def _value(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return f"{_time(value)}Z"
    if isinstance(value, bytes):
        return _text(value)
    return value


def _text(value: str | bytes) -> str:
    """Read a text, which the SDK may return as bytes; other bytes are written as Json.NET does."""
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _time(moment: datetime | None) -> str:
    """Write a time as Json.NET does: without trailing zeros of a second."""
    given = moment or datetime.min.replace(tzinfo=UTC)
    text = given.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.rstrip("0").rstrip(".")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)
