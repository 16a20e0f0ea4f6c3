"""The stream of a connection cut into protocol headers and frames.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.2 (version negotiation) and 2.3 (framing).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from local.bus.amqp.decoding import DecodeError

AMQP, SASL = 0, 1
HEADER = {AMQP: b"AMQP\x00\x01\x00\x00", SASL: b"AMQP\x03\x01\x00\x00"}
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
MAX_FRAME = 65536

_PREFIX = struct.Struct(">IBBH")


@dataclass(frozen=True)
class ProtocolHeader:
    """A protocol header: the layer that the peer uses next."""

    octets: bytes


@dataclass(frozen=True)
class Frame:
    """One frame: `kind` AMQP or SASL; an empty body only keeps the connection alive."""

    kind: int
    channel: int
    body: bytes


class FrameReader:
    """Collects octets and returns whole headers and frames; raises DecodeError on anything else.

    It never holds more than one frame and what arrived behind it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> None:
        """Take octets as they arrived."""
        if self._offset:
            del self._buffer[: self._offset]
            self._offset = 0
        self._buffer += data

    def next(self) -> ProtocolHeader | Frame | None:
        """Return the next whole header or frame, or None until more arrives."""
        if len(self._buffer) - self._offset < 8:
            return None
        if self._buffer.startswith(b"AMQP", self._offset):
            return ProtocolHeader(self._take(8))
        size, doff, kind, channel = _PREFIX.unpack_from(self._buffer, self._offset)
        # A size is checked before the octets are waited for, so that a peer cannot make us hoard.
        if not 8 <= size <= MAX_FRAME or not 8 <= 4 * doff <= size:
            raise DecodeError("frame of impossible size")
        if kind not in (AMQP, SASL):
            raise DecodeError("frame of unknown kind")
        if len(self._buffer) - self._offset < size:
            return None
        return Frame(kind, channel, self._take(size)[4 * doff :])

    def _take(self, size: int) -> bytes:
        start = self._offset
        self._offset += size
        return bytes(self._buffer[start : self._offset])


def frame(kind: int, channel: int, body: bytes) -> bytes:
    """Write one frame."""
    return _PREFIX.pack(8 + len(body), 2, kind, channel) + body


def break_off(octets: bytes) -> bytes:
    """Cut off the second half of the last frame of a stream, as a fault does."""
    start = end = 0
    while end < len(octets):
        start = end
        is_header = octets.startswith(b"AMQP", start)
        end = start + (8 if is_header else _PREFIX.unpack_from(octets, start)[0])
    return octets[: (start + end) // 2]
