"""A batch is recorded whatever is in it, and however the ledger behaves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from azure.functions.servicebus import ServiceBusMessage as Triggered
from azure.servicebus import ServiceBusMessage
from hypothesis import given
from hypothesis import strategies as st

from shared.apps.recorder import Recorder
from shared.azure.queues import BusDeniedError
from shared.ledger.errors import LedgerError, LedgerUnavailableError
from shared.message.formats import KNOWN_FORMATS, Formats
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.telemetry.outages import Outages
from tests.fast_clock import run

BAD = [
    b"",
    b"planted",
    b"\xff\xfe planted",
    b"[" * 400 + b"]" * 400,
    b'{"a":' * 400 + b"1" + b"}" * 400,
    b'{"id": "\\ud800", "state": "delivered", "at": "2026-01-01T00:00:00+00:00"}',
    b'{"id": "a", "state": "delivered", "at": "2026-01-01T00:00:00+00:00", "detail": "\\ud800"}',
    b'{"id": "a", "state": "queued", "at": "2026-01-01T00:00:00+00:00"}',
    b"null",
    b'"planted"',
    b"1" * 5000,
    b"NaN",
]


def receipt(message_id: str) -> bytes:
    return Receipt(message_id, State.DELIVERED, datetime.now(UTC), attempts=1).to_json().encode()


def triggered(body: bytes, deliveries: int = 1) -> Triggered:
    # No message id, no content type: of a batch, the host gives texts to the wrong messages.
    return Triggered(
        body=body,
        delivery_count=deliveries,
        message_id="",
        application_properties={},
        user_properties={},
    )


class Ledger:
    """Records, except while it is away, and except what it cannot hold."""

    def __init__(self, *unholdable: str, error: Exception | None = None) -> None:
        self.ids: set[str] = set()
        self.tries = 0
        self.back_at = 0.0
        self._unholdable = set(unholdable)
        self._error = error or LedgerError("the database cannot hold it (DataError, 22003)")

    async def record(self, receipts: Sequence[Receipt]) -> None:
        self.tries += 1
        if asyncio.get_running_loop().time() < self.back_at:
            raise LedgerUnavailableError("away")
        ids = {one.message_id for one in receipts}
        if ids & self._unholdable:
            raise self._error
        self.ids |= ids


class Aside:
    def __init__(self) -> None:
        self.messages: list[ServiceBusMessage] = []
        self.back: list[ServiceBusMessage] = []
        self.error: Exception | None = None

    async def send(self, message: ServiceBusMessage) -> None:
        if self.error:
            raise self.error
        self.messages.append(message)

    async def send_back(self, message: ServiceBusMessage) -> None:
        if self.error:
            raise self.error
        self.back.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [b"".join(message.body) for message in self.messages]

    @property
    def properties(self) -> list[dict[str, Any]]:
        return [cast("dict[str, Any]", message.application_properties) for message in self.messages]


def recorder_of(ledger: Ledger, aside: Aside, accepted: Formats = KNOWN_FORMATS) -> Recorder:
    outages = Outages(logging.getLogger("test"))
    return Recorder(ledger.record, aside.send, aside.send_back, 240, outages, accepted)


def recording(ledger: Ledger, aside: Aside, batch: Sequence[Triggered]) -> float:
    """Record a batch; return how many seconds that took."""

    async def main() -> float:
        recorder = recorder_of(ledger, aside)
        await recorder.record(batch)
        return asyncio.get_running_loop().time()

    return run(main())


def failing(
    ledger: Ledger, aside: Aside, batch: Sequence[Triggered], error: type[Exception]
) -> float:
    """Record a batch, which fails; return how many seconds that took."""

    async def main() -> float:
        recorder = recorder_of(ledger, aside)
        with pytest.raises(error):
            await recorder.record(batch)
        return asyncio.get_running_loop().time()

    return run(main())


def test_what_is_no_receipt_is_set_aside_as_it_was_and_the_others_are_recorded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    ledger, aside = Ledger(), Aside()
    batch = [triggered(receipt("first")), *map(triggered, BAD), triggered(receipt("last"))]
    assert recording(ledger, aside, batch) == 0
    assert ledger.ids == {"first", "last"}
    assert ledger.tries == 1
    assert aside.bodies == BAD
    assert {one["relay-reason"] for one in aside.properties} == {"not-a-receipt"}
    assert {one["relay-kind"] for one in aside.properties} == {"receipt"}
    assert all(one["relay-detail"] for one in aside.properties)
    assert caplog.text.count("rejected what is not a receipt") == len(BAD)
    assert "planted" not in caplog.text + str(aside.properties)


def newer(**members: object) -> bytes:
    return json.dumps({"format": 2, "\ud800": "\u00e4", "of later": [1.5, None]} | members).encode()


@pytest.mark.parametrize(
    ("held", "seconds"), [(0, 30), (9, 30), (11, 60), (15, 600), (999, 600), ("x", 30), (-1, 30)]
)
def test_a_receipt_of_a_newer_format_waits_and_the_others_are_recorded(
    held: object, seconds: float
) -> None:
    ledger, aside = Ledger(), Aside()
    before = datetime.now(UTC)
    recording(ledger, aside, [triggered(newer(held=held)), triggered(receipt("other"))])
    assert ledger.ids == {"other"}
    assert not aside.messages
    (back,) = aside.back
    count = held + 1 if isinstance(held, int) and held >= 0 else 1
    assert json.loads(b"".join(back.body)) == json.loads(newer(held=count))
    assert back.scheduled_enqueue_time_utc
    waits = back.scheduled_enqueue_time_utc - before
    assert seconds <= waits.total_seconds() < seconds + 20


@pytest.mark.parametrize("body", [newer(held=1000), newer(held=9999), newer(more="x" * 20_000)])
def test_one_that_has_waited_for_a_week_or_is_too_large_is_an_operators(
    body: bytes,
) -> None:
    aside = Aside()
    recording(Ledger(), aside, [triggered(body)])
    assert aside.bodies == [body]
    assert aside.properties[0]["relay-reason"] == "newer-format"
    assert not aside.back


def test_a_newer_receipt_that_cannot_be_sent_back_stays_on_the_queue() -> None:
    ledger, aside = Ledger(), Aside()
    aside.error = BusDeniedError("refused")
    batch = [triggered(newer()), triggered(receipt("other"))]
    assert failing(ledger, aside, batch, BusDeniedError) > 0
    assert ledger.ids == {"other"}


async def test_which_formats_are_recorded_is_what_the_tracker_is_given() -> None:
    ledger, aside = Ledger(), Aside()
    later = Receipt("later", State.DELIVERED, datetime.now(UTC), format=2).to_json().encode()
    recorder = recorder_of(ledger, aside, Formats(frozenset({2})))
    await recorder.record([triggered(later), triggered(receipt("retired"))])
    assert ledger.ids == {"later"}
    assert aside.properties[0]["relay-detail"] == "format 1 is not accepted any more"


async def test_no_receipt_is_dated_ahead_of_the_trackers_own_clock() -> None:
    recorded: list[Receipt] = []

    async def record(receipts: Sequence[Receipt]) -> None:
        recorded.extend(receipts)

    ahead = datetime.now(UTC) + timedelta(days=9000)
    past = datetime.now(UTC) - timedelta(days=30)
    bodies = [Receipt("a", State.REJECTED, at).to_json().encode() for at in (ahead, past)]
    outages = Outages(logging.getLogger("test"))
    recorder = Recorder(record, Aside().send, Aside().send, 240, outages)
    await recorder.record([triggered(body) for body in bodies])
    assert recorded[0].at <= datetime.now(UTC)
    assert recorded[1].at == past


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_whatever_bytes_come_none_keeps_the_others(bodies: list[bytes]) -> None:
    ledger, aside = Ledger(), Aside()
    recording(ledger, aside, [*map(triggered, bodies), triggered(receipt("good"))])
    assert ledger.ids == {"good"}
    assert aside.bodies == bodies


def test_the_ledger_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ledger, aside = Ledger(), Aside()
    ledger.back_at = 100
    seconds = recording(ledger, aside, [triggered(receipt("one")), triggered(b"bad")])
    assert 100 <= seconds <= 130
    assert ledger.ids == {"one"}
    assert len(aside.bodies) == 1
    assert caplog.text.count("the ledger is away") == 1
    assert caplog.text.count("the ledger serves again") == 1


def test_nothing_is_set_aside_while_the_ledger_stays_away() -> None:
    ledger, aside = Ledger(), Aside()
    ledger.back_at = 1e9
    batch = [triggered(receipt("one")), triggered(b"bad")]
    assert failing(ledger, aside, batch, LedgerUnavailableError) == pytest.approx(240)
    assert aside.bodies == [], "it would be set aside once more at each delivery"


def test_what_the_ledger_cannot_hold_costs_no_other_its_place() -> None:
    bad = {"m7", "m50", "m51", "m99"}
    ledger, aside = Ledger(*bad), Aside()
    batch = [triggered(receipt(f"m{n}")) for n in range(100)]
    assert recording(ledger, aside, batch) == 0
    assert ledger.ids == {f"m{n}" for n in range(100)} - bad
    assert {message.message_id for message in aside.messages} == bad
    assert {one["relay-reason"] for one in aside.properties} == {"receipt-not-recorded"}
    assert {Receipt.from_json(body).message_id for body in aside.bodies} == bad
    assert ledger.tries < 60


def test_what_nobody_foresaw_is_tried_again_after_a_pause_and_then_set_aside() -> None:
    ledger, aside = Ledger("odd", error=ZeroDivisionError()), Aside()
    for deliveries, pause in ((1, 1), (2, 2)):
        batch = [triggered(receipt(one), deliveries) for one in ("a", "odd", "b")]
        batch.append(triggered(b"bad", deliveries))
        assert failing(ledger, aside, batch, ZeroDivisionError) == pytest.approx(pause)
        assert ledger.ids == {"a", "b"}
        assert aside.bodies == []
    recording(ledger, aside, [triggered(receipt(one), 3) for one in ("a", "odd", "b")])
    (properties,) = aside.properties
    assert properties["relay-detail"] == "it cannot be recorded (ZeroDivisionError)"


def test_no_way_to_the_operator_is_no_hot_loop() -> None:
    ledger, aside = Ledger(), Aside()
    aside.error = BusDeniedError("refused")
    batch = [triggered(receipt("one"), 30), triggered(b"bad", 30)]
    assert failing(ledger, aside, batch, BusDeniedError) == pytest.approx(20)
    assert ledger.ids == {"one"}


def test_of_receipts_in_one_message_each_has_its_own_outcome() -> None:
    ledger, aside = Ledger("unholdable"), Aside()
    bad = [b"planted", b"", b"{}"]
    first = b"\n".join([receipt("a"), bad[0], receipt("unholdable"), bad[1], receipt("b")])
    batch = [triggered(first), triggered(receipt("alone")), triggered(bad[2])]
    assert recording(ledger, aside, batch) == 0
    assert ledger.ids == {"a", "b", "alone"}
    reasons = [one["relay-reason"] for one in aside.properties]
    assert reasons == ["not-a-receipt"] * 3 + ["receipt-not-recorded"]
    assert aside.bodies[:3] == bad
    assert Receipt.from_json(aside.bodies[3]).message_id == "unholdable"


def test_a_receipt_that_fails_for_an_unknown_reason_repeats_its_batch_and_rejects_none() -> None:
    ledger, aside = Ledger("odd", error=ZeroDivisionError()), Aside()
    batch = [triggered(b"\n".join([receipt("a"), receipt("odd"), b"bad"])), triggered(receipt("b"))]
    assert failing(ledger, aside, batch, ZeroDivisionError) == pytest.approx(1)
    assert ledger.ids == {"a", "b"}
    assert aside.bodies == []


def test_as_much_garbage_as_a_batch_can_hold_is_set_aside_within_its_lock() -> None:
    class SlowAside(Aside):
        async def send(self, message: ServiceBusMessage) -> None:
            await asyncio.sleep(1)
            await super().send(message)

    ledger, aside = Ledger(), SlowAside()
    garbage = b"\n".join([receipt("good"), *[b"bad"] * 99])
    assert recording(ledger, aside, [triggered(garbage)] * 10) == pytest.approx(1)
    assert len(aside.bodies) == 990
    assert ledger.ids == {"good"}
