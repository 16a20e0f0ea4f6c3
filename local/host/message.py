"""A received Service Bus message as the Functions host hands it to a Python function.

The names are those of `ServiceBusTriggerBindingStrategy` in the Service Bus extension, the types
those of `GrpcMessageConversionExtensions.ToRpc`: text as text, everything else as JSON, and what
is absent is not passed. So lock times, time to live, state and dead-letter reasons are None.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.host.tracing import Trace
from local.host.worker.messages import Data

# .NET's DateTime.MaxValue stands for a message that never expires.
_NEVER = "9999-12-31T23:59:59.9999999Z"


def one(message: ServiceBusReceivedMessage, *, binary: bool) -> tuple[Data, Mapping[str, Data]]:
    """Return body and metadata for one call; ValueError if the body is not AMQP data."""
    return _body(message, binary=binary), _metadata(message)


def many(
    messages: Sequence[ServiceBusReceivedMessage], *, binary: bool
) -> tuple[Data, Mapping[str, Data]]:
    """Return them for several messages in one call; ValueError as above, for one of them."""
    bodies = [_body(message, binary=binary)[1] for message in messages]
    kind = "collection_bytes" if binary else "collection_string"
    return (kind, bodies), _metadata_of_many(messages)


def trace(message: ServiceBusReceivedMessage) -> Trace:
    """Return the trace of the call for one message, below the sender's."""
    properties = _properties(message.application_properties or {})
    return Trace.below(properties.get("Diagnostic-Id") or properties.get("traceparent"))


def _metadata_of_many(messages: Sequence[ServiceBusReceivedMessage]) -> Mapping[str, Data]:
    """Put what each has into an array per name, without gaps.

    As the host does it: a text that one of them lacks moves those of the others up.
    """
    arrays: dict[str, list[object]] = {}
    for message in messages:
        for name, (kind, value) in _metadata(message).items():
            structure = json.loads(value) if kind == "json" else value
            arrays.setdefault(f"{name}Array", []).append(structure)
    return {name: ("json", json.dumps(values)) for name, values in arrays.items()}


def _body(message: ServiceBusReceivedMessage, *, binary: bool) -> Data:
    if message.body_type is not AmqpMessageBodyType.DATA:
        raise ValueError("the Functions host passes only messages whose body is AMQP data")
    body = b"".join(message.body)
    if binary:
        return "bytes", body
    # Bytes that are not UTF-8 are replaced here because the real host does so too: an app that
    # needs them must carry text or declare dataType 'binary'.
    return "string", body.decode("utf-8", errors="replace")


def _metadata(message: ServiceBusReceivedMessage) -> Mapping[str, Data]:
    properties = _properties(message.application_properties or {})
    texts = {
        "DeadLetterSource": message.dead_letter_source,
        "LockToken": str(message.lock_token),
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "ReplyTo": message.reply_to,
        "To": message.to,
        "Subject": message.subject,
        "Label": message.subject,
        "CorrelationId": message.correlation_id,
        "SessionId": message.session_id,
        "ReplyToSessionId": message.reply_to_session_id,
        "PartitionKey": message.partition_key,
    }
    structures = {
        # The header counts earlier deliveries, the .NET client this one too.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number,
        "EnqueuedTimeUtc": _time(message.enqueued_time_utc),
        "ExpiresAtUtc": _time(message.expires_at_utc) or _NEVER,
        "ApplicationProperties": properties,
        "UserProperties": properties,
    }
    found: dict[str, Data] = {
        name: ("string", _text(value)) for name, value in texts.items() if value
    }
    for name, structure in structures.items():
        if structure is not None:
            found[name] = "json", json.dumps(structure, separators=(",", ":"))
    return found


def _properties(given: Mapping[str | bytes, object]) -> Mapping[str, object]:
    return {_text(name): _json_value(value) for name, value in given.items()}


def _json_value(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, bytes):
        return _text_or_base64(value)
    return value


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _text_or_base64(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _time(moment: datetime | None) -> str | None:
    """Write a time as Newtonsoft.Json does: UTC, `Z`, no trailing zeros of a second."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"
