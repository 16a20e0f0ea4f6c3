"""A message as a receiver gets it, with the names that the Python SDK has for what is in it.

Source: OASIS AMQP 1.0, part 3 (Messaging), 3.2; Microsoft, "AMQP 1.0 protocol guide", for the
annotations named x-opt-*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from local.bus.amqp.decoding import decode, skip
from local.bus.amqp.values import Array, Char, Described, Symbol, Timestamp, Value

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage

_HEADER, _DELIVERY, _ANNOTATIONS, _PROPERTIES, _APPLICATION, _DATA = range(0x70, 0x76)
_FOOTER = 0x78
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """A message that is locked by `lock_token` until `locked_until_utc`.

    `delivery_count` is of the earlier deliveries. `body_type` is `data`, or anything else for a
    body that cannot be bound. `delivery_id` is its number on the link.
    """

    delivery_id: int
    lock_token: UUID
    body_type: str
    body: tuple[bytes, ...] = field(repr=False)
    delivery_count: int
    sequence_number: int | None
    enqueued_time_utc: datetime | None
    expires_at_utc: datetime | None
    locked_until_utc: datetime | None
    dead_letter_source: str | None
    partition_key: str | None
    message_id: str | None
    to: str | None
    subject: str | None
    reply_to: str | None
    correlation_id: str | None
    content_type: str | None
    session_id: str | None
    reply_to_session_id: str | None
    application_properties: Mapping[str | bytes, object]


TriggerMessage: TypeAlias = "ReceivedMessage | ServiceBusReceivedMessage"
"""What a trigger can be given: a message of the host, or of the SDK by whoever plays the host."""


def read_delivery(delivery_id: int, tag: bytes, payload: bytes) -> ReceivedMessage:
    """Read a delivery. Raises DecodeError for what is not a message."""
    sections: dict[int, Value] = {}
    body: list[bytes] = []
    body_type = "data"
    offset = 0
    while offset < len(payload):
        code, _ = decode(payload, offset + 1)
        if not isinstance(code, int) or _DATA < code < _FOOTER:
            # Whatever is in it, the host binds it to nothing.
            body_type, offset = "other", skip(payload, offset)
            continue
        section, offset = decode(payload, offset)
        content = section.value if isinstance(section, Described) else None
        if code == _DATA and isinstance(content, bytes):
            body.append(content)
        else:
            sections[code] = content
    annotations = _map(sections.get(_ANNOTATIONS))
    header = [*_list(sections.get(_HEADER)), *[None] * 5]
    properties = [_native(value) for value in [*_list(sections.get(_PROPERTIES)), *[None] * 13]]
    enqueued = _native(annotations.get("x-opt-enqueued-time"))
    return ReceivedMessage(
        delivery_id=delivery_id,
        lock_token=UUID(bytes_le=tag),
        body_type=body_type,
        body=tuple(body),
        delivery_count=header[4] or 0,
        sequence_number=annotations.get("x-opt-sequence-number"),
        enqueued_time_utc=enqueued,
        expires_at_utc=_expiry(enqueued, header[2]),
        locked_until_utc=_native(annotations.get("x-opt-locked-until")),
        dead_letter_source=_text(annotations.get("x-opt-deadletter-source")),
        partition_key=_text(annotations.get("x-opt-partition-key")),
        message_id=_text(properties[0]),
        to=_text(properties[2]),
        subject=_text(properties[3]),
        reply_to=_text(properties[4]),
        correlation_id=_text(properties[5]),
        content_type=_text(properties[6]),
        session_id=_text(properties[10]),
        reply_to_session_id=_text(properties[12]),
        application_properties={
            str(name): _native(value) for name, value in _map(sections.get(_APPLICATION)).items()
        },
    )


def _expiry(enqueued: datetime | None, time_to_live: int | None) -> datetime | None:
    if enqueued is None or time_to_live is None:
        return None
    try:
        return enqueued + timedelta(milliseconds=time_to_live)
    except OverflowError:
        return None


def _native(value: Any) -> Any:
    """Return a value of AMQP as one of Python's own types."""
    if value is None or type(value) is str:  # most of them
        return value
    if isinstance(value, Timestamp):
        try:
            return _EPOCH + timedelta(milliseconds=value)
        except OverflowError:
            return int(value)
    if isinstance(value, Symbol | Char):
        return str(value)
    if isinstance(value, Described):
        return _native(value.value)
    if isinstance(value, Array):
        return [_native(item) for item in value.items]
    if isinstance(value, list):
        return [_native(item) for item in value]
    if isinstance(value, dict):
        return {str(_native(name)): _native(item) for name, item in value.items()}
    return value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _list(value: Value) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: Value) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
