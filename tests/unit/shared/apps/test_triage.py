"""What the bus gave up: who is believed, and where it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from azure.functions.servicebus import ServiceBusMessage as Triggered

from shared.apps.crash_markers import CrashMarkers
from shared.apps.outcomes import Policy, Record, Reject
from shared.apps.triage import (
    MAX_MESSAGE_RETURNS,
    MAX_RETURNS,
    RejectReceipt,
    ReturnMessage,
    ReturnReceipt,
    Triage,
    sort_message,
    sort_receipt,
)
from shared.azure.queues import BusDeniedError
from shared.azure.vault import VaultUnavailableError
from shared.message.dead_letter import DeadLetter
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.formats import NewerFormatError
from shared.message.pending_receipt import PendingReceipt
from shared.message.protected_header import MessageHeader
from shared.message.receipt import Receipt
from shared.message.received import ReceivedMessage
from shared.message.state import State
from shared.partner.retries import Schedule
from tests.unit.shared.apps.receiver_doubles import (
    KEY,
    NOW,
    TOKEN,
    WRAPPED,
    Keys,
    Queues,
)
from tests.unit.shared.message.triggered import triggered

POLICY = Policy(Schedule.parse("5s"), 30.0, 9)
RECEIPT = Receipt("other", State.DELIVERED, NOW, attempts=1).to_json().encode()
REASON = {
    "DeadLetterReason": "MaxDeliveryCountExceeded",
    "DeadLetterErrorDescription": "Message could not be consumed after 10 delivery attempts.",
}


def letter(
    body: bytes,
    source: str | None,
    message_id: str = "mine",
    deliveries: int = 1,
    more: Mapping[str, object] | None = None,
) -> Triggered:
    properties = {**REASON, **(more or {})}
    return triggered(message_id, body, deliveries=deliveries, source=source, properties=properties)


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def markers(tmp_path: Path) -> CrashMarkers:
    return CrashMarkers(tmp_path / "markers")


@pytest.fixture
def triage(queues: Queues, keys: Keys, markers: CrashMarkers) -> Triage:
    return Triage(keys, queues.of_receiver, "receipts", POLICY, markers)


def dead(*arguments: object, **more: object) -> DeadLetter:
    return DeadLetter.from_trigger(letter(*arguments, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dead_letter", "outcome"),
    [
        (dead(RECEIPT, "receipts"), ReturnReceipt(1)),
        (dead(RECEIPT, "receipts", deliveries=500, more={"relay-returns": "4"}), ReturnReceipt(5)),
        (
            dead(RECEIPT, "receipts", more={"relay-returns": str(MAX_RETURNS)}),
            RejectReceipt(
                "receipt-not-recorded",
                f"returned {MAX_RETURNS} times; MaxDeliveryCountExceeded: "
                f"{REASON['DeadLetterErrorDescription']}; dead-lettered from receipts",
            ),
        ),
        (dead(b"{}", "receipts"), RejectReceipt("not-a-receipt", "id must be the id of a message")),
    ],
)
def test_what_becomes_of_a_dead_lettered_receipt(
    dead_letter: DeadLetter, outcome: ReturnReceipt | RejectReceipt
) -> None:
    assert sort_receipt(dead_letter) == outcome


DONE = Receipt("mine", State.DELIVERED, NOW, attempts=1)
FAILED = Receipt("mine", State.REJECTED, NOW, attempts=1)
AUTHENTIC = PendingReceipt.by(KEY, DONE)
REJECT = Reject(
    REASON["DeadLetterReason"],
    f"{REASON['DeadLetterErrorDescription']}; dead-lettered from messages",
    0,
)


@pytest.mark.parametrize(
    ("pending", "key", "outcome"),
    [
        (None, KEY, REJECT),
        (None, None, Reject(REJECT.reason, REJECT.detail, 0, is_recorded=False)),
        (AUTHENTIC, KEY, Record(AUTHENTIC)),
        (AUTHENTIC, None, Reject(REJECT.reason, REJECT.detail, 0, is_recorded=False)),
        (PendingReceipt(DONE), KEY, REJECT),
        (PendingReceipt.by(DataKey.generate(), DONE), KEY, REJECT),
        (PendingReceipt.by(KEY, FAILED), KEY, Record(PendingReceipt.by(KEY, FAILED))),
        (PendingReceipt(FAILED), KEY, REJECT),
        (PendingReceipt(FAILED), None, Reject(REJECT.reason, REJECT.detail, 0, is_recorded=False)),
    ],
)
def test_what_becomes_of_a_dead_lettered_message(
    pending: PendingReceipt | None, key: DataKey | None, outcome: Record | Reject
) -> None:
    found = dead(TOKEN.encode(), "messages", more=pending.to_properties() if pending else None)
    assert isinstance(found.message, ReceivedMessage)
    assert sort_message(found, found.message, key) == outcome


@pytest.mark.parametrize("source", ["receipts", "Receipts"])
async def test_a_receipt_goes_to_the_ledger_again_as_it_was(
    triage: Triage, queues: Queues, source: str
) -> None:
    await triage.handle(letter(RECEIPT, source))
    assert queues.bodies("receipts") == [RECEIPT]
    assert queues.properties("receipts") == [{"relay-returns": "1"}]
    assert not queues.on("rejected")


async def test_a_receipt_that_comes_back_too_often_goes_to_an_operator(
    triage: Triage, queues: Queues
) -> None:
    await triage.handle(letter(RECEIPT, "receipts", more={"relay-returns": str(MAX_RETURNS - 1)}))
    assert queues.properties("receipts") == [{"relay-returns": str(MAX_RETURNS)}]
    await triage.handle(letter(RECEIPT, "receipts", more={"relay-returns": str(MAX_RETURNS)}))
    assert queues.bodies("rejected") == [RECEIPT]
    (properties,) = queues.properties("rejected")
    assert properties["relay-reason"] == "receipt-not-recorded"
    assert "MaxDeliveryCountExceeded" in properties["relay-detail"]
    assert properties["relay-kind"] == "receipt"
    assert queues.on("rejected")[0].message_id == "other"


@pytest.mark.parametrize("returns", ["", "-1", "x", "1.5", "99999", None, 7.5, {}])
async def test_a_strange_count_of_returns_counts_as_none(
    triage: Triage, queues: Queues, returns: object
) -> None:
    await triage.handle(letter(RECEIPT, "receipts", more={"relay-returns": returns}))
    assert queues.properties("receipts") == [{"relay-returns": "1"}]


@pytest.mark.parametrize(
    ("letter_of", "refusing"),
    [
        (lambda n: letter(RECEIPT, "receipts", deliveries=n), "receipts"),
        (lambda n: letter(b"{}", "receipts", deliveries=n), "rejected"),
        (lambda n: letter(TOKEN.encode(), "messages", deliveries=n), "rejected"),
        (lambda n: letter(b"x", "messages", "not ours", deliveries=n), "rejected"),
    ],
)
async def test_a_dead_letter_stays_however_often_its_next_queue_refuses_it(
    triage: Triage, queues: Queues, letter_of: Callable[[int], Triggered], refusing: str
) -> None:
    queues.denied.add(refusing)
    for deliveries in range(1, 100):
        with pytest.raises(BusDeniedError):
            await triage.handle(letter_of(deliveries))
    assert queues.order == []
    queues.denied.clear()
    await triage.handle(letter_of(100))
    assert queues.order[0] == refusing
    assert len(queues.on(refusing)) == 1


@pytest.mark.parametrize(
    ("deliveries", "returns", "outcome"),
    [
        (2000, 0, ReturnMessage(1)),
        (2000, MAX_MESSAGE_RETURNS - 1, ReturnMessage(MAX_MESSAGE_RETURNS)),
        (2000, MAX_MESSAGE_RETURNS, "MaxDeliveryCountExceeded"),
        (10, 0, "MaxDeliveryCountExceeded"),
    ],
)
def test_what_the_bus_gave_up_after_days_of_refusals_is_tried_again(
    deliveries: int, returns: int, outcome: ReturnMessage | str
) -> None:
    more = {
        "DeadLetterErrorDescription": (
            f"Message could not be consumed after {deliveries} delivery attempts."
        ),
        "relay-returns": str(returns),
    }
    found = dead(TOKEN.encode(), "messages", more=more)
    assert isinstance(found.message, ReceivedMessage)
    decided = sort_message(found, found.message, KEY)
    assert (decided.reason if isinstance(decided, Reject) else decided) == outcome
    assert isinstance(sort_message(found, found.message, None), Reject), "it did not open"
    other = dead(TOKEN.encode(), "messages", more={**more, "DeadLetterReason": "another"})
    assert isinstance(sort_message(other, found.message, KEY), Reject)


async def test_a_message_that_is_tried_again_keeps_its_attempts_and_its_count_of_returns(
    triage: Triage, queues: Queues
) -> None:
    more = {
        "DeadLetterErrorDescription": "Message could not be consumed after 2000 delivery attempts.",
        "relay-attempts": "3",
        "relay-returns": "4",
    }
    await triage.handle(letter(TOKEN.encode(), "messages", more=more))
    assert queues.order == ["retries"]
    (properties,) = queues.properties("retries")
    assert (properties["relay-attempts"], properties["relay-returns"]) == ("3", "5")
    assert properties["relay-waits-for"] == "service"


async def test_a_dead_letter_that_ends_the_process_that_opens_it_goes_to_an_operator_unopened(
    triage: Triage, queues: Queues, keys: Keys, markers: CrashMarkers
) -> None:
    message = DeadLetter.from_trigger(letter(TOKEN.encode(), "messages")).message
    assert isinstance(message, ReceivedMessage)
    for _ in range(2):
        await markers.alone(message).__aenter__()
        markers._one_at_a_time = asyncio.Lock()
    await triage.handle(letter(TOKEN.encode(), "messages", deliveries=9))
    assert queues.order == ["rejected"]
    assert keys.opened == 0


async def test_receipts_that_came_together_are_returned_together_and_rejected_each_apart(
    triage: Triage, queues: Queues
) -> None:
    several = b"\n".join([RECEIPT, b"planted", RECEIPT])
    await triage.handle(letter(several, "receipts"))
    assert queues.bodies("receipts") == [several]
    await triage.handle(letter(several, "receipts", more={"relay-returns": str(MAX_RETURNS)}))
    assert queues.bodies("rejected") == [RECEIPT, b"planted", RECEIPT]
    assert {one["relay-reason"] for one in queues.properties("rejected")} == {
        "receipt-not-recorded"
    }
    assert queues.on("rejected")[0].message_id == "other"


async def test_what_is_not_a_receipt_goes_to_an_operator_at_once(
    triage: Triage, queues: Queues
) -> None:
    await triage.handle(letter(b"\xff planted", "receipts"))
    assert queues.bodies("rejected") == [b"\xff planted"]
    assert queues.properties("rejected")[0]["relay-reason"] == "not-a-receipt"
    assert "planted" not in str(queues.properties("rejected"))
    assert not queues.on("receipts")


@pytest.mark.parametrize("source", ["messages", "retries", None, "elsewhere"])
async def test_a_message_that_looks_like_a_receipt_writes_nothing_into_the_ledger(
    triage: Triage, queues: Queues, source: str | None
) -> None:
    """A right to send to `messages` is not one to report another as delivered."""
    forged = {"relay-kind": "receipt", "relay-returns": "0"}
    await triage.handle(letter(RECEIPT, source, "other", more=forged))
    assert not queues.on("receipts")
    assert queues.bodies("rejected") == [RECEIPT]
    assert "relay-kind" not in queues.properties("rejected")[0]


@pytest.mark.parametrize("source", ["messages", "retries"])
async def test_a_message_goes_to_an_operator_with_the_reason_of_the_bus_and_the_ledger_hears_of_it(
    triage: Triage, queues: Queues, source: str
) -> None:
    await triage.handle(letter(TOKEN.encode(), source, more={"relay-attempts": "3"}))
    assert queues.bodies("rejected") == [TOKEN.encode()]
    (properties,) = queues.properties("rejected")
    assert properties["relay-reason"] == "MaxDeliveryCountExceeded"
    assert properties["relay-detail"].endswith(f"attempts.; dead-lettered from {source}")
    assert properties["relay-attempts"] == "3"
    (receipt,) = queues.receipts()
    assert (receipt.message_id, receipt.state, receipt.attempts) == ("mine", State.REJECTED, 3)
    assert receipt.detail
    assert receipt.detail.startswith("MaxDeliveryCountExceeded: ")


NEWER = seal(b"payload", MessageHeader("mine", "a/b"), KEY, WRAPPED, 2)


async def test_a_newer_format_comes_again_until_the_last_delivery(
    triage: Triage, queues: Queues
) -> None:
    """By then another instance of the receiver may be newer."""
    for deliveries in range(1, 9):
        with pytest.raises(NewerFormatError):
            await triage.handle(letter(NEWER, "messages", deliveries=deliveries))
    assert not queues.sent
    await triage.handle(letter(NEWER, "messages", deliveries=9))
    assert queues.order == ["rejected"]
    assert queues.properties("rejected")[0]["relay-reason"] == "MaxDeliveryCountExceeded"


async def test_a_newer_format_with_a_pending_receipt_is_never_an_operators_to_replay(
    triage: Triage, queues: Queues
) -> None:
    await triage.handle(letter(NEWER, "messages", deliveries=9, more=AUTHENTIC.to_properties()))
    assert queues.order == ["retries"]
    assert queues.bodies("retries") == [NEWER]
    assert "relay-pending-receipt" in queues.properties("retries")[0]


async def test_a_newer_pending_receipt_is_never_an_operators_to_replay_either(
    triage: Triage, queues: Queues
) -> None:
    newer = PendingReceipt.by(KEY, replace(DONE, format=2)).to_properties()
    for deliveries in range(1, 9):
        with pytest.raises(NewerFormatError):
            await triage.handle(
                letter(TOKEN.encode(), "messages", deliveries=deliveries, more=newer)
            )
    await triage.handle(letter(TOKEN.encode(), "messages", deliveries=9, more=newer))
    assert queues.order == ["retries"]
    assert newer.items() <= queues.properties("retries")[0].items()


async def test_a_receipt_of_a_newer_format_goes_to_the_ledger_again(
    triage: Triage, queues: Queues
) -> None:
    await triage.handle(letter(b'{"format": 2}', "receipts"))
    assert queues.bodies("receipts") == [b'{"format": 2}']


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (b"garbage", "mine"),
        (b"", "mine"),
        (TOKEN.encode(), "other"),
        (TOKEN.encode(), ""),
        (TOKEN.replace(".", "..", 1).encode(), "mine"),
        (seal(b"x", MessageHeader("mine", "a/b"), KEY, WrappedKey("x", b"y")), "mine"),
        (seal(b"x", MessageHeader("mine", "a/b"), DataKey.generate(), WRAPPED), "mine"),
    ],
)
async def test_what_does_not_open_under_its_own_id_moves_no_row(
    triage: Triage, queues: Queues, body: bytes, message_id: str
) -> None:
    await triage.handle(letter(body, "messages", message_id))
    assert queues.bodies("rejected") == [body]
    assert not queues.on("receipts")


async def test_while_the_vault_is_away_a_message_stays_however_often_it_comes(
    triage: Triage, queues: Queues, keys: Keys
) -> None:
    keys.error = VaultUnavailableError("decrypt", "no answer")
    for deliveries in (1, 8, 9, 500):
        with pytest.raises(VaultUnavailableError):
            await triage.handle(letter(TOKEN.encode(), "messages", deliveries=deliveries))
    assert queues.order == []
    keys.error = None
    await triage.handle(letter(TOKEN.encode(), "messages", deliveries=501))
    assert queues.order == ["rejected", "receipts"]


async def test_while_the_vault_is_away_a_confirmed_delivery_is_never_rejected(
    triage: Triage, queues: Queues, keys: Keys
) -> None:
    keys.error = VaultUnavailableError("decrypt", "no answer")
    pending = AUTHENTIC.to_properties()
    await triage.handle(letter(TOKEN.encode(), "messages", deliveries=9, more=pending))
    assert queues.order == ["retries"]
    assert pending.items() <= queues.properties("retries")[0].items()
    keys.error = None
    await triage.handle(letter(TOKEN.encode(), "messages", deliveries=9, more=pending))
    assert queues.receipts() == [DONE]
    assert not queues.on("rejected")


@pytest.mark.parametrize("text", ["\ud800", "\x00", "x" * 10_000, 7, ["\ud800"]])
@pytest.mark.parametrize("body", [TOKEN.encode(), b"garbage"])
async def test_whatever_the_reason_is_an_operator_and_the_ledger_can_read_it(
    triage: Triage, queues: Queues, text: object, body: bytes
) -> None:
    planted = {"DeadLetterReason": text, "DeadLetterErrorDescription": text}
    await triage.handle(letter(body, "messages", more=planted))
    (properties,) = queues.properties("rejected")
    for shown in properties.values():
        assert len(shown.encode()) <= 3 * 200
        assert "\x00" not in shown
    assert all(receipt.state is State.REJECTED for receipt in queues.receipts())


async def test_what_nobody_foresaw_in_opening_a_dead_letter_rejects_it(
    triage: Triage, queues: Queues, keys: Keys
) -> None:
    keys.error = RuntimeError("unforeseen")
    await triage.handle(letter(TOKEN.encode(), "messages"))
    assert queues.order == ["rejected"]


async def test_one_that_waited_for_its_receipt_only_is_done_by_it(
    triage: Triage, queues: Queues
) -> None:
    done = Receipt("mine", State.DELIVERED, NOW, attempts=1)
    pending = {
        "relay-pending-receipt": done.to_json(),
        "relay-pending-receipt-mac": KEY.receipt_mac(done.to_json()),
    }
    await triage.handle(letter(TOKEN.encode(), "retries", more=pending))
    assert queues.receipts() == [done]
    assert not queues.on("rejected")


async def test_a_delivery_without_an_authentic_mac_is_not_believed(
    triage: Triage, queues: Queues
) -> None:
    done = Receipt("mine", State.DELIVERED, NOW, attempts=1)
    await triage.handle(
        letter(TOKEN.encode(), "retries", more={"relay-pending-receipt": done.to_json()})
    )
    assert [receipt.state for receipt in queues.receipts()] == [State.REJECTED]


async def test_a_receipt_of_a_rejection_that_cannot_be_sent_is_pending(
    triage: Triage, queues: Queues
) -> None:
    queues.denied.add("receipts")
    await triage.handle(letter(TOKEN.encode(), "messages"))
    assert len(queues.on("rejected")) == 1
    (waiting,) = queues.properties("retries")
    assert Receipt.from_json(waiting["relay-pending-receipt"]).state is State.REJECTED
