from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta

from local.cli.demo import (
    DemoDelivery,
    Sent,
    TrackedMessage,
    deliveries_table,
    ledger_table,
    limit_of,
    picture,
    samples,
)
from local.cli.tables import lines_of


def test_the_five_messages_are_of_different_kinds_and_within_the_limit() -> None:
    made = samples(1000)
    assert len({sample.name for sample in made}) == 5
    assert b"\x00" in [sample.payload for sample in made]
    assert max(len(sample.payload) for sample in samples(190_000)) == 189_999


def test_the_picture_is_a_png() -> None:
    drawn, position, kinds, pixels = picture(), 8, [], b""
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    while position < len(drawn):
        [length] = struct.unpack_from(">I", drawn, position)
        kind, data = drawn[position + 4 : position + 8], drawn[position + 8 : position + 8 + length]
        [checksum] = struct.unpack_from(">I", drawn, position + 8 + length)
        assert checksum == zlib.crc32(kind + data)
        kinds.append(kind)
        pixels += data if kind == b"IDAT" else b""
        position += length + 12
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    assert len(zlib.decompress(pixels)) == 64 * (1 + 64 * 3)


def test_the_limit_is_that_of_the_senders_environment() -> None:
    assert limit_of({"RELAY_MAX_PAYLOAD_BYTES": "1000"}) == 1000
    assert limit_of({}) == 190_000


def test_the_table_shows_what_differs() -> None:
    sample = samples(1000)[0]
    sent = Sent(sample, "id-1", posted_at=10.0, accepted_at=10.01)
    title, good, bad = lines_of(
        deliveries_table([DemoDelivery(sent, 10.2, None), DemoDelivery(sent, None, "it differs")])
    )
    assert title.split()[:2] == ["message", "bytes"]
    assert "10 ms" in good
    assert "200 ms" in good
    assert good.endswith("verified")
    assert bad.endswith("it differs")


def test_the_tables_fit_into_80_columns() -> None:
    deliveries = [
        DemoDelivery(Sent(sample, "i" * 36, 10.0, 10.999), 12.345, None)
        for sample in samples(190_000)
    ]
    at = datetime(2026, 11, 23, tzinfo=UTC)
    times = {"accepted": at, "queued": at, "delivered": at + timedelta(seconds=2.345)}
    tracked = [TrackedMessage(one.sent.id, "delivered", times) for one in deliveries]
    for shown in (deliveries_table(deliveries), ledger_table(tracked)):
        lines = lines_of(shown)
        assert len(lines) == 6
        assert max(map(len, lines)) <= 80


def test_the_ledgers_table_shows_times_from_acceptance_on() -> None:
    accepted = datetime(2026, 11, 23, 12, 30, 1, 250_000, tzinfo=UTC)
    times = {"accepted": accepted, "delivered": accepted + timedelta(seconds=1.5)}
    title, good, bad = lines_of(
        ledger_table(
            [TrackedMessage("id-1", "delivered", times), TrackedMessage("id-2", "status 404", {})]
        )
    )
    assert title.split() == ["id", "state", "accepted", "queued", "delivered"]
    assert good.split() == ["id-1", "delivered", "12:30:01", "-", "+1500", "ms"]
    assert bad.split() == ["id-2", "status", "404", "-", "-", "-"]
