"""What each outcome sends, where to, and in which order."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.apps.outcomes import Delivered, Hold, Outcome, Record, Reject, Retry
from shared.apps.receiver import CALL_SECONDS
from shared.apps.receiver_queues import HOLD_SECONDS
from shared.azure.queues import BusDeniedError, BusUnavailableError, MessageTooLargeError
from shared.concurrency.holding import LONGEST_PAUSE_AFTER_FAILURE
from shared.message.envelope import DataKey
from shared.message.formats import Formats
from shared.message.message_id import digest_suffix
from shared.message.pending_receipt import PendingReceipt, pending_receipt
from shared.message.receipt import Receipt
from shared.message.state import State
from tests.fast_clock import run
from tests.unit.shared.apps.receiver_doubles import (
    KEY,
    NOW,
    PENDING_SECONDS,
    TOKEN,
    Queues,
    received,
    unidentified,
)
from tests.unit.shared.message.triggered import TRACE

MESSAGE = received(properties={"relay-attempts": "2", "traceparent": TRACE})
DELIVERED = Delivered(3, 7, "a/b", "version")
PENDING = PendingReceipt.by(KEY, Receipt("mine", State.DELIVERED, NOW, 3))
NEXT_ID = f"mine.1{digest_suffix(TOKEN.encode())}"


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.mark.parametrize(
    ("outcome", "order", "state", "attempts"),
    [
        (DELIVERED, ["receipts"], State.DELIVERED, 3),
        (Retry(5.0, 3, "why"), ["retries", "receipts"], State.RETRYING, 3),
        (Hold(30.0, "why"), ["retries", "receipts"], State.RETRYING, 2),
        (Reject("r", "why", 3), ["rejected", "receipts"], State.REJECTED, 3),
        (Record(PENDING), ["receipts"], State.DELIVERED, 3),
    ],
)
async def test_an_outcome_is_carried_out_before_its_receipt_is_sent(
    queues: Queues, outcome: Outcome, order: list[str], state: State, attempts: int
) -> None:
    await queues.of_receiver.carry_out(MESSAGE, outcome, KEY)
    assert queues.order == order
    (receipt,) = queues.receipts()
    assert (receipt.message_id, receipt.state, receipt.attempts) == ("mine", state, attempts)
    assert receipt.at == NOW


@pytest.mark.parametrize(
    ("outcome", "attempts", "waits_for"),
    [(Retry(5.0, 3, "w"), "3", "attempt"), (Hold(5.0, "w"), "2", "service")],
)
async def test_a_message_that_waits_is_the_same_under_the_id_of_its_next_hop(
    queues: Queues, outcome: Outcome, attempts: str, waits_for: str
) -> None:
    await queues.of_receiver.carry_out(MESSAGE, outcome, KEY)
    (waiting,) = queues.on("retries")
    assert queues.bodies("retries") == [TOKEN.encode()]
    assert queues.properties("retries") == [
        {
            "traceparent": TRACE,
            "Diagnostic-Id": TRACE,
            "relay-attempts": attempts,
            "relay-waits-for": waits_for,
            "relay-detail": "w",
        }
    ]
    assert waiting.message_id == NEXT_ID
    assert waiting.scheduled_enqueue_time_utc == NOW + timedelta(seconds=5)


async def test_a_message_that_did_not_prove_its_id_moves_no_row(queues: Queues) -> None:
    await queues.of_receiver.carry_out(MESSAGE, Reject("r", "why", 0, is_recorded=False), KEY)
    assert queues.order == ["rejected"]
    assert "relay-unrecorded" in queues.properties("rejected")[0]


async def test_a_message_that_is_not_this_relays_goes_to_an_operator_and_is_one_line_of_the_log(
    queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    message = unidentified("not\nours" + "x" * 110, body=b"\xff")
    await queues.of_receiver.set_aside(message, Reject("r", "why", 0))
    assert queues.order == ["rejected"]
    assert queues.bodies("rejected") == [b"\xff"]
    (line,) = caplog.messages
    assert line.startswith("rejected 'not\\nours")
    assert "\n" not in line
    assert len(line) < 200


@pytest.mark.parametrize(
    ("outcome", "authentic"),
    [(DELIVERED, True), (Reject("r", "why", 3), True), (Record(PENDING), True)],
)
async def test_the_receipt_of_a_final_outcome_stays_pending_until_it_can_be_sent(
    queues: Queues, outcome: Outcome, authentic: bool
) -> None:
    queues.denied.add("receipts")
    await queues.of_receiver.carry_out(MESSAGE, outcome, KEY)
    (waiting,) = queues.on("retries")
    assert waiting.scheduled_enqueue_time_utc == NOW + timedelta(seconds=PENDING_SECONDS)
    (properties,) = queues.properties("retries")
    assert (properties["relay-attempts"], properties["relay-waits-for"]) == ("3", "receipt")
    back = received(NEXT_ID, properties=properties)
    assert isinstance(back.pending, PendingReceipt)
    assert back.pending.receipt.attempts == 3
    assert back.pending.is_authentic(KEY) == authentic


async def test_receipts_are_written_in_the_format_that_is_set(queues: Queues) -> None:
    later = replace(queues.of_receiver, format_emitted=2)
    await later.carry_out(MESSAGE, DELIVERED, KEY)
    assert json.loads(queues.bodies("receipts")[0])["format"] == 2
    queues.denied.add("receipts")
    await later.carry_out(MESSAGE, DELIVERED, KEY)
    pending = pending_receipt(
        queues.properties("retries")[0], MESSAGE.id, Formats(frozenset({1, 2}))
    )
    assert isinstance(pending, PendingReceipt)
    assert pending.receipt.format == 2
    assert pending.is_authentic(KEY)


async def test_what_nothing_opened_is_rejected_after_its_receipt(queues: Queues) -> None:
    await queues.of_receiver.carry_out(MESSAGE, Reject("r", "why", 3), None)
    assert queues.order == ["receipts", "rejected"]
    (receipt,) = queues.receipts()
    assert (receipt.state, receipt.at, receipt.is_proven) == (State.REJECTED, NOW, False)


async def test_without_its_receipt_what_nothing_opened_waits_and_is_not_rejected_twice(
    queues: Queues,
) -> None:
    """A pending receipt without a MAC is one that its sender could have written."""
    queues.denied.add("receipts")
    await queues.of_receiver.carry_out(MESSAGE, Reject("r", "why", 3), None)
    assert queues.order == ["retries"]
    (properties,) = queues.properties("retries")
    assert properties["relay-attempts"] == "2"
    assert "relay-pending-receipt" not in properties


@pytest.mark.parametrize(("key", "is_proven"), [(KEY, True), (None, False)])
async def test_a_receipt_says_whether_its_message_was_opened(
    queues: Queues, key: DataKey | None, is_proven: bool
) -> None:
    await queues.of_receiver.carry_out(MESSAGE, Hold(5.0, "why"), key)
    assert [receipt.is_proven for receipt in queues.receipts()] == [is_proven]


async def test_a_pending_receipt_reports_no_later_time_than_now(queues: Queues) -> None:
    ahead = Receipt("mine", State.DELIVERED, NOW + timedelta(days=9000), 3)
    await queues.of_receiver.carry_out(MESSAGE, Record(PendingReceipt.by(KEY, ahead)), KEY)
    assert [receipt.at for receipt in queues.receipts()] == [NOW]


@pytest.mark.parametrize("outcome", [Retry(5.0, 3, "why"), Hold(30.0, "why")])
async def test_the_receipt_of_a_retry_is_not_kept(queues: Queues, outcome: Outcome) -> None:
    queues.denied.add("receipts")
    await queues.of_receiver.carry_out(MESSAGE, outcome, KEY)
    assert queues.order == ["retries"]
    assert "relay-pending-receipt" not in queues.properties("retries")[0]


async def test_a_message_that_waits_keeps_its_pending_receipt(queues: Queues) -> None:
    await queues.of_receiver.carry_out(replace(MESSAGE, pending=PENDING), Hold(30.0, "why"), KEY)
    (properties,) = queues.properties("retries")
    assert received(NEXT_ID, properties=properties).pending == PENDING


@pytest.mark.parametrize(
    ("queue", "outcome"),
    [
        ("retries", Retry(5.0, 3, "why")),
        ("retries", Hold(5.0, "why")),
        ("rejected", Reject("r", "why", 3)),
    ],
)
async def test_what_cannot_be_carried_out_is_neither_recorded_nor_completed(
    queues: Queues, queue: str, outcome: Outcome
) -> None:
    queues.denied.add(queue)
    with pytest.raises(BusDeniedError):
        await queues.of_receiver.carry_out(MESSAGE, outcome, KEY)
    assert queues.order == []


async def test_a_receipt_that_can_neither_be_sent_nor_wait_leaves_the_message_on_its_queue(
    queues: Queues,
) -> None:
    queues.denied |= {"receipts", "retries"}
    with pytest.raises(BusDeniedError):
        await queues.of_receiver.carry_out(MESSAGE, DELIVERED, KEY)


@pytest.mark.parametrize("refusal", [BusUnavailableError("full"), BusDeniedError("no right")])
@pytest.mark.parametrize(
    ("queue", "outcome"),
    [
        ("retries", Retry(5.0, 3, "why")),
        ("retries", Hold(5.0, "why")),
        ("rejected", Reject("r", "why", 3)),
    ],
)
def test_a_message_is_held_while_its_next_queue_refuses_it(
    queues: Queues, queue: str, outcome: Outcome, refusal: Exception
) -> None:
    queues.refusals[queue] = [refusal] * 5
    queues.hold_seconds = HOLD_SECONDS
    run(queues.of_receiver.carry_out(MESSAGE, outcome, KEY))
    assert queues.order == [queue, "receipts"], "once, and nobody was asked again for the outcome"


def test_a_message_is_left_to_the_bus_when_its_next_queue_refuses_it_for_long(
    queues: Queues,
) -> None:
    queues.denied.add("retries")
    queues.hold_seconds = HOLD_SECONDS

    async def refused() -> float:
        with pytest.raises(BusDeniedError):
            await queues.of_receiver.carry_out(MESSAGE, Retry(5.0, 3, "why"), KEY)
        return asyncio.get_running_loop().time()

    assert run(refused()) == pytest.approx(HOLD_SECONDS)
    # Whatever else the call waits for is limited too, and the lock is renewed for longer than both.
    assert HOLD_SECONDS < CALL_SECONDS < 300 - LONGEST_PAUSE_AFTER_FAILURE


def test_what_can_never_be_sent_is_not_held(queues: Queues) -> None:
    queues.refusals["retries"] = [MessageTooLargeError("too large")]
    queues.hold_seconds = HOLD_SECONDS
    with pytest.raises(MessageTooLargeError):
        run(queues.of_receiver.carry_out(MESSAGE, Retry(5.0, 3, "why"), KEY))
    assert queues.order == []


async def test_of_an_outage_only_some_messages_are_logged(
    queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(10):
        queues.outages.failed("the vault", BusDeniedError("refused"))
    await queues.of_receiver.carry_out(MESSAGE, Hold(30.0, "why"), KEY)
    assert not [line for line in caplog.messages if line.startswith("waits")]
    queues.outages.works("the vault")
    await queues.of_receiver.carry_out(MESSAGE, Hold(30.0, "why"), KEY)
    assert "waits mine for 30 s: why" in caplog.messages
