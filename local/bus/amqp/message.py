"""Messages: sections that the bus reads or rewrites, around a body that it never decodes.

Source: OASIS AMQP 1.0, part 3 (Messaging), 3.2; Microsoft, "AMQP 1.0 protocol guide", for the
annotations named x-opt-*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID, uuid4

from local.bus.amqp.decimals import as_service_bus
from local.bus.amqp.decoding import DecodeError, decode, skip
from local.bus.amqp.encoding import encode, encode_section
from local.bus.amqp.sections import (
    AMQP_VALUE,
    ANNOTATIONS,
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    HEADER,
    PROPERTIES,
    body_sections,
    data_sections,
    list_content,
    map_content,
    section_code,
)
from local.bus.amqp.values import Decimal, Described, Int, Symbol, Timestamp, UInt, Value

SCHEDULED_TIME = Symbol("x-opt-scheduled-enqueue-time")
PARTITION_KEY = Symbol("x-opt-partition-key")
LOCK_TOKEN = Symbol("x-opt-lock-token")
# As in Azure, what a sender writes there counts (azure-sdk-for-python, issue 30624).
HOP_COUNT = Symbol("x-opt-transfer-hop-count")

_HEADER_FIELDS, _PROPERTIES_FIELDS = 5, 13
_GROUP_ID = 10
_NO_DELIVERY_ANNOTATIONS = encode_section(DELIVERY_ANNOTATIONS, {})
# What only the bus may write on a message: removed from whatever a sender wrote there.
_BROKER_ANNOTATIONS = frozenset(
    {
        "x-opt-sequence-number",
        "x-opt-enqueued-time",
        "x-opt-locked-until",
        "x-opt-message-state",
        "x-opt-lock-token",
        "x-opt-deadletter-source",
        "x-opt-enqueue-sequence-number",
    }
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its sender wrote it. Times in seconds; `properties` and what follows is encoded.

    `body` holds the body sections and the footer, never decoded. `session_id` is the group id.
    """

    durable: bool | None
    priority: int | None
    time_to_live: float | None
    annotations: Mapping[Value, Value]
    message_id: str
    properties: bytes
    application_properties: bytes
    body: bytes
    delivery_annotations: Mapping[Value, Value] = field(default_factory=dict)
    session_id: str | None = None

    @property
    def size(self) -> int:
        """Octets it takes, nearly: what counts against the size of a queue."""
        return self.properties_size + len(self.body)

    @property
    def properties_size(self) -> int:
        """Octets of everything but the body."""
        annotations = len(encode({**self.annotations})) if self.annotations else 0
        if self.delivery_annotations:
            annotations += len(encode({**self.delivery_annotations}))
        return annotations + len(self.properties) + len(self.application_properties)

    @property
    def scheduled_time(self) -> float | None:
        """When it is to be enqueued, in seconds since 1970, where the sender scheduled it."""
        at = self.annotations.get(SCHEDULED_TIME)
        return at / 1000 if isinstance(at, int) else None

    @property
    def partition_key(self) -> str | None:
        """The partition that the sender chose, if it did."""
        key = self.annotations.get(PARTITION_KEY)
        return key if isinstance(key, str) else None

    @property
    def hops(self) -> int:
        """How often it was forwarded from one queue to the next."""
        count = self.delivery_annotations.get(HOP_COUNT)
        return count if isinstance(count, int) and count > 0 else 0

    def forwarded(self) -> Message:
        """Return the same message after one hop more."""
        annotations = {**self.delivery_annotations, HOP_COUNT: Int(self.hops + 1)}
        return replace(self, delivery_annotations=annotations)

    def with_application_properties(self, added: Mapping[str, Value]) -> Message:
        """Return the same message with application properties added or replaced."""
        if not added:
            return self
        merged: dict[Value, Value] = application_properties(self)
        merged.update(added)
        return replace(self, application_properties=encode_section(APPLICATION_PROPERTIES, merged))


def with_properties(
    message: Message, fields: list[Value], application: Mapping[Value, Value]
) -> Message:
    """Return the message with other properties, all but the message id, and application ones."""
    raw = encode_section(APPLICATION_PROPERTIES, {**application}) if application else b""
    return replace(
        message,
        properties=encode_section(PROPERTIES, [*fields]),
        application_properties=raw,
    )


def parse(data: bytes) -> Message:
    """Read an encoded message. Raises DecodeError, for any malformed input.

    Delivery annotations may also come after the body: the Python SDK writes them there, and
    Service Bus takes them.
    """
    header: list[Value] = []
    delivery: bytes | None = None
    annotations: dict[Value, Value] = {}
    fields: list[Value] = []
    properties = application_properties = b""
    offset, previous = 0, 0
    while offset < len(data):
        code = section_code(data, offset)
        if code >= DATA:
            break
        if code < previous:
            raise DecodeError("sections of a message out of order")
        end, previous = skip(data, offset), code + 1
        raw, offset = data[offset:end], end
        if code == HEADER:
            header = list_content(raw, _HEADER_FIELDS)
        elif code == DELIVERY_ANNOTATIONS:
            delivery = raw
        elif code == ANNOTATIONS:
            annotations = _readable(map_content(raw))
        elif code == PROPERTIES:
            properties, fields = raw, list_content(raw, _PROPERTIES_FIELDS)
        else:
            application_properties = _readable_section(raw)
    body, late_delivery = body_sections(data, offset)
    if delivery is not None and late_delivery is not None:
        raise DecodeError("two sections of delivery annotations")
    message_id, properties = _identified(fields, properties)
    return Message(
        durable=_of_type(header, 0, bool),
        priority=_of_type(header, 1, int),
        time_to_live=_seconds(_of_type(header, 2, int)),
        annotations={k: v for k, v in annotations.items() if k not in _BROKER_ANNOTATIONS},
        message_id=message_id,
        properties=properties,
        application_properties=application_properties,
        body=body,
        delivery_annotations=_sender_annotations(delivery or late_delivery),
        session_id=_of_type(fields, _GROUP_ID, str),
    )


_Kind = TypeVar("_Kind", bool, int, str)


def _of_type(fields: list[Value], index: int, kind: type[_Kind]) -> _Kind | None:
    """Return a field that may be absent or null. Raises DecodeError for one of another type."""
    value = fields[index] if fields else None
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DecodeError(f"field {index} of a message section has the wrong type")
    return value


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _identified(fields: list[Value], properties: bytes) -> tuple[str, bytes]:
    """Return the message id and the properties with it; a message without one gets one."""
    if fields and fields[0] is not None:
        return str(fields[0]), properties
    message_id = uuid4().hex
    fields = [message_id, *(fields or [None] * _PROPERTIES_FIELDS)[1:]]
    return message_id, encode_section(PROPERTIES, fields)


def _sender_annotations(raw: bytes | None) -> dict[Value, Value]:
    if raw is None:
        return {}
    annotations = _readable(map_content(raw))
    # A message that was received and is sent again has the lock token of that delivery.
    annotations.pop(LOCK_TOKEN, None)
    return annotations


def _readable_section(raw: bytes) -> bytes:
    properties = map_content(raw)
    readable = _readable(properties)
    return raw if readable is properties else encode_section(APPLICATION_PROPERTIES, readable)


def _readable(values: dict[Value, Value]) -> dict[Value, Value]:
    """Return the same with decimals in the form that Service Bus hands on."""
    if Decimal not in map(type, values.values()):
        return values
    return {
        name: as_service_bus(value) if isinstance(value, Decimal) else value
        for name, value in values.items()
    }


def data_body(message: Message) -> bytes:
    """Join the data sections of the body; empty for a body of another kind."""
    try:
        return b"".join(data_sections(message.body))
    except DecodeError:
        return b""


def value_body(message: Message) -> Value:
    """Read the body of a request, an amqp-value section."""
    value, _ = decode(message.body) if message.body else (None, 0)
    return value.value if isinstance(value, Described) else None


def application_properties(message: Message) -> dict[Value, Value]:
    """Read the application properties."""
    raw = message.application_properties
    return map_content(raw) if raw else {}


def properties_fields(message: Message) -> list[Value]:
    """Read the 13 properties: message-id, user-id, to, subject, reply-to, correlation-id, ..."""
    return list_content(message.properties, _PROPERTIES_FIELDS)


def encode_response(
    correlation_id: Value, application_properties: Mapping[Value, Value], body: Value
) -> bytes:
    """Encode the response to a request: an amqp-value under the request's message id."""
    fields: list[Value] = [None] * _PROPERTIES_FIELDS
    fields[5] = correlation_id
    return (
        encode_section(PROPERTIES, fields)
        + encode_section(APPLICATION_PROPERTIES, {**application_properties})
        + encode_section(AMQP_VALUE, body)
    )


def write(
    message: Message,
    delivery_count: int,
    time_to_live: float | None,
    annotations: Mapping[str, Value],
    lock_token: UUID | None,
) -> bytes:
    """Encode a message for a receiver, with the header and annotations that the bus adds."""
    ttl = None if time_to_live is None else UInt(min(round(time_to_live * 1000), 2**32 - 1))
    header: list[Value] = [message.durable, message.priority, ttl, None, UInt(delivery_count)]
    delivery: dict[Value, Value] = {**message.delivery_annotations}
    if lock_token is not None:
        delivery[LOCK_TOKEN] = lock_token
    added: dict[Value, Value] = {Symbol(name): value for name, value in annotations.items()}
    return (
        encode_section(HEADER, header)
        # Also an empty one, as Azure: azure-servicebus 7.15, tests/test_message.py.
        + (encode_section(DELIVERY_ANNOTATIONS, delivery) if delivery else _NO_DELIVERY_ANNOTATIONS)
        + encode_section(ANNOTATIONS, {**message.annotations, **added})
        + message.properties
        + message.application_properties
        + message.body
    )


def timestamp(seconds: float) -> Timestamp:
    """Return a time in AMQP's milliseconds."""
    return Timestamp(round(seconds * 1000))
