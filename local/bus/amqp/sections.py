"""The sections that an encoded message consists of: what kind the next one is, and what it holds.

Source: OASIS AMQP 1.0, part 3 (Messaging), 3.2; Microsoft, "AMQP 1.0 protocol guide", for batches.
"""

from __future__ import annotations

from collections.abc import Iterator

from local.bus.amqp.decoding import DecodeError, decode, skip
from local.bus.amqp.values import Described, Value

BATCH_FORMAT = 0x80013700

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES = 0x70, 0x71, 0x72, 0x73
APPLICATION_PROPERTIES, DATA, AMQP_VALUE, FOOTER = 0x74, 0x75, 0x77, 0x78


def section_code(data: bytes, offset: int) -> int:
    """Return the kind of the section at an offset. Raises DecodeError where there is none."""
    if data[offset] != 0:
        raise DecodeError("message section without a descriptor")
    code, _ = decode(data, offset + 1)
    if not isinstance(code, int) or not HEADER <= code <= FOOTER:
        raise DecodeError("unknown message section")
    return code


def _content(raw: bytes) -> Value:
    """Return what a section holds."""
    section, _ = decode(raw)
    return section.value if isinstance(section, Described) else None


def list_content(raw: bytes, size: int) -> list[Value]:
    """Return the fields of a section, those that were left out as None. Raises DecodeError."""
    fields = _content(raw)
    if not isinstance(fields, list) or len(fields) > size:
        raise DecodeError("message section that is not a list, or too long")
    return fields + [None] * (size - len(fields))


def map_content(raw: bytes) -> dict[Value, Value]:
    """Return the map that a section holds. Raises DecodeError."""
    found = _content(raw)
    if not isinstance(found, dict):
        raise DecodeError("message section that is not a map")
    return found


def body_sections(data: bytes, offset: int) -> tuple[bytes, bytes | None]:
    """Return body and footer from an offset on, and delivery annotations from behind them, if any.

    Raises DecodeError where another section is among them.
    """
    start, end, delivery = offset, len(data), None
    while offset < len(data):
        code, after = section_code(data, offset), skip(data, offset)
        if code == DELIVERY_ANNOTATIONS and after == len(data):
            end, delivery = offset, data[offset:]
        elif code < DATA:
            raise DecodeError("sections of a message out of order")
        offset = after
    return data[start:end], delivery


def data_sections(data: bytes) -> Iterator[bytes]:
    """Yield what each data section of a body holds. Raises DecodeError."""
    offset = 0
    while offset < len(data):
        code, end = section_code(data, offset), skip(data, offset)
        if code == DATA:
            found = _content(data[offset:end])
            if not isinstance(found, bytes):
                raise DecodeError("data section that is not binary")
            yield found
        offset = end


def split_batch(data: bytes) -> list[bytes]:
    """Return the encoded messages of a batch: each is a data section of its own."""
    messages = list(data_sections(data))
    if not messages:
        raise DecodeError("batch without messages")
    return messages
