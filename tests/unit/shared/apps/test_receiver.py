"""The receiver without a cloud: a message of its trigger in, what it sends out."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.functions import ServiceBusMessage
from azure.servicebus import ServiceBusMessageBatch

from shared.apps.crash_markers import CrashMarkers
from shared.apps.outcomes import Policy
from shared.apps.receiver import Receiver, blueprint, policy_of
from shared.azure.queues import BusDeniedError
from shared.azure.vault import VaultDeniedError, VaultRefusedError, VaultUnavailableError
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.formats import Formats
from shared.message.pending_receipt import PendingReceipt
from shared.message.protected_header import MessageHeader
from shared.message.receipt import Receipt
from shared.message.received import ReceivedMessage, read_message
from shared.message.state import State
from shared.partner.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.retries import Schedule
from shared.settings.environment import load as load_settings
from shared.settings.settings import ReceiverSettings
from shared.standards.base64url import encode
from shared.standards.trace_context import TraceContext
from tests.unit.shared.apps.receiver_doubles import (
    KEY,
    NOW,
    TOKEN,
    WRAPPED,
    Keys,
    PartnerDouble,
    Queues,
    clients_of,
    message_of,
    token_of,
)
from tests.unit.shared.message.triggered import TRACE
from tests.unit.shared.settings.test_settings import environment

DONE = Receipt("mine", State.DELIVERED, NOW, 1)


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def partner() -> PartnerDouble:
    return PartnerDouble()


@pytest.fixture
def markers(tmp_path: Path) -> CrashMarkers:
    return CrashMarkers(tmp_path / "markers")


@pytest.fixture
def receiver(queues: Queues, keys: Keys, partner: PartnerDouble, markers: CrashMarkers) -> Receiver:
    return started(queues, keys, partner, markers)


def started(queues: Queues, keys: Keys, partner: PartnerDouble, markers: CrashMarkers) -> Receiver:
    """Return the receiver of a process that has just started."""
    clients = clients_of(keys, partner, queues)
    policy = Policy(Schedule.parse("5s,5m"), 30.0, 9)
    return Receiver(clients, policy, lambda: 0.0, markers=markers)


async def crashed(markers: CrashMarkers, message: ServiceBusMessage, times: int) -> None:
    """Leave the marker of a message that has ended its process so often."""
    received = read_message(message)
    assert isinstance(received, ReceivedMessage)
    for _ in range(times):
        await markers.alone(received).__aenter__()
        # What a process that has ended holds is held by nobody.
        markers._one_at_a_time = asyncio.Lock()


async def test_a_message_is_delivered_and_recorded(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    await receiver.handle(message_of(properties={"traceparent": TRACE}))
    assert partner.accepted == [
        Delivery(MessageHeader("mine", "a/b"), b"payload", TraceContext(TRACE))
    ]
    assert queues.order == ["receipts"]
    (receipt,) = queues.receipts()
    assert (receipt.state, receipt.attempts, receipt.size) == (State.DELIVERED, 1, 7)
    assert (receipt.key_version, receipt.content_type) == (WRAPPED.version, "a/b")


@pytest.mark.parametrize(
    ("error", "order", "detail"),
    [
        (PartnerUnavailableError("away"), ["retries", "receipts"], "away"),
        (PartnerDeniedError("denied"), ["retries", "receipts"], "denied"),
        (PartnerSecretError("no secret"), ["retries", "receipts"], "no secret"),
        (VaultDeniedError("read", "denied"), ["retries", "receipts"], "read: denied"),
        (VaultRefusedError("read", "404", 404), ["retries", "receipts"], "read: 404"),
        (PartnerRefusedError("400"), ["rejected", "receipts"], "partner-refused: 400"),
    ],
)
async def test_what_the_partner_does_not_accept_waits_or_is_rejected(
    receiver: Receiver,
    queues: Queues,
    partner: PartnerDouble,
    error: Exception,
    order: list[str],
    detail: str,
) -> None:
    partner.error = error
    await receiver.handle(message_of())
    assert queues.order == order
    assert queues.receipts()[0].detail == detail
    assert queues.bodies(order[0]) == [TOKEN.encode()], "it stays sealed"


async def test_the_schedule_ends_in_rejection(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    partner.error = PartnerUnavailableError("away")
    await receiver.handle(message_of(properties={"relay-attempts": "2"}))
    assert queues.properties("rejected")[0]["relay-reason"] == "retries-exhausted"
    assert queues.properties("rejected")[0]["relay-attempts"] == "3"


@pytest.mark.parametrize("error", [VaultUnavailableError("d", "w"), VaultDeniedError("d", "w")])
async def test_a_vault_that_does_not_decrypt_is_not_the_messages_fault(
    receiver: Receiver, queues: Queues, keys: Keys, partner: PartnerDouble, error: Exception
) -> None:
    keys.error = error
    await receiver.handle(message_of(properties={"relay-attempts": "1"}))
    assert queues.order == ["retries", "receipts"]
    assert queues.properties("retries")[0]["relay-attempts"] == "1"
    assert not partner.accepted


@pytest.mark.parametrize(
    ("body", "message_id", "reason", "recorded"),
    [
        (b"garbage", "mine", "malformed", True),
        (b"\xff", "mine", "malformed", True),
        (b"garbage", "not ours", "malformed", False),
        (b"garbage", "", "malformed", False),
        (TOKEN, "other", "tampered", True),
        (TOKEN, "other.r7.1", "tampered", True),
        (TOKEN, "not ours", "tampered", False),
        (TOKEN, "", "tampered", False),
        (
            seal(b"x", MessageHeader("mine", "a/b"), DataKey.generate(), WRAPPED),
            "mine",
            "tampered",
            True,
        ),
        (
            seal(b"x", MessageHeader("mine", "a/b"), KEY, WrappedKey("elsewhere", b"")),
            "mine",
            "wrong-key",
            True,
        ),
    ],
)
async def test_what_cannot_be_opened_is_rejected_as_it_came(
    receiver: Receiver,
    queues: Queues,
    partner: PartnerDouble,
    body: bytes | str,
    message_id: str,
    reason: str,
    recorded: bool,
) -> None:
    await receiver.handle(message_of(body, message_id))
    assert queues.properties("rejected")[0]["relay-reason"] == f"undecryptable-{reason}"
    assert queues.bodies("rejected") == [body.encode() if isinstance(body, str) else body]
    assert queues.order == ["receipts", "rejected"][1 - recorded :]
    assert not any(receipt.is_proven for receipt in queues.receipts())
    assert not partner.accepted


NEWER = seal(b"payload", MessageHeader("mine", "a/b"), KEY, WRAPPED, 2).decode()


async def test_a_message_of_a_newer_format_waits_with_no_attempt_and_is_not_opened(
    receiver: Receiver, queues: Queues, keys: Keys, partner: PartnerDouble
) -> None:
    await receiver.handle(message_of(NEWER, properties={"relay-attempts": "1"}))
    assert queues.order == ["retries", "receipts"]
    assert queues.bodies("retries") == [NEWER.encode()]
    assert queues.properties("retries")[0]["relay-attempts"] == "1"
    (receipt,) = queues.receipts()
    assert (receipt.state, receipt.is_proven) == (State.RETRYING, False)
    assert "format 2, which is newer" in str(receipt.detail)
    assert not keys.opened
    assert not partner.accepted


async def test_a_message_of_a_newer_format_that_has_waited_for_a_week_is_an_operators(
    receiver: Receiver, queues: Queues
) -> None:
    await receiver.handle(message_of(NEWER, "mine.1000"))
    assert queues.order == ["receipts", "rejected"]
    assert queues.properties("rejected")[0]["relay-reason"] == "newer-format"
    assert queues.bodies("rejected") == [NEWER.encode()]


async def test_a_newer_format_under_an_id_that_is_not_the_relays_is_rejected(
    receiver: Receiver, queues: Queues
) -> None:
    await receiver.handle(message_of(NEWER, "not ours"))
    assert queues.order == ["rejected"]
    assert queues.properties("rejected")[0]["relay-reason"] == "undecryptable-tampered"


@pytest.mark.parametrize(
    ("message_id", "queue"), [("mine.3", "retries"), ("mine.1000", "rejected")]
)
async def test_a_newer_pending_receipt_keeps_its_message_from_the_partner(
    receiver: Receiver,
    queues: Queues,
    keys: Keys,
    partner: PartnerDouble,
    message_id: str,
    queue: str,
) -> None:
    pending = PendingReceipt.by(KEY, replace(DONE, format=2)).to_properties()
    await receiver.handle(message_of(message_id=message_id, properties=pending))
    assert sorted(queues.order) == sorted([queue, "receipts"])
    if queue == "retries":
        assert pending.items() <= queues.properties(queue)[0].items()
    else:
        assert queues.properties(queue)[0]["relay-reason"] == "newer-format"
    assert not keys.opened
    assert not partner.accepted


async def test_what_is_accepted_is_what_the_receiver_is_given(
    queues: Queues, keys: Keys, partner: PartnerDouble
) -> None:
    clients = clients_of(keys, partner, queues)
    policy = Policy(Schedule.parse("5s"), 30.0, 9)
    later = Receiver(clients, policy, accepted=Formats(frozenset({2})))
    await later.handle(message_of(NEWER))
    assert [delivery.payload for delivery in partner.accepted] == [b"payload"]
    await later.handle(message_of())
    assert queues.properties("rejected")[0]["relay-reason"] == "undecryptable-retired-format"


def with_header(**changes: object) -> str:
    header, _, rest = TOKEN.partition(".")
    members = json.loads(base64.urlsafe_b64decode(header + "=="))
    return f"{encode(json.dumps(members | changes).encode())}.{rest}"


@pytest.mark.parametrize("member", ["alg", "enc", "kid", "mid", "cty", "dkc"])
@pytest.mark.parametrize("value", ["\ud800", "a/b\udfff", "\x00", "x" * 9000, 7, None, [], {}])
async def test_a_header_that_is_not_text_is_malformed_at_once(
    receiver: Receiver,
    queues: Queues,
    keys: Keys,
    caplog: pytest.LogCaptureFixture,
    member: str,
    value: object,
) -> None:
    await receiver.handle(message_of(with_header(**{member: value})))
    assert queues.properties("rejected")[0]["relay-reason"] == "undecryptable-malformed"
    assert keys.opened == 0
    assert "unforeseen" not in caplog.text


@pytest.mark.parametrize(
    "message_id", ["\ud800", "mine\x00", "mine\udfff~x", "x" * 5000, 7, b"\xff"]
)
@pytest.mark.parametrize("properties", [{}, {"relay-attempts": "\ud800", "traceparent": "\x00"}])
async def test_whatever_an_id_or_a_property_is_the_message_can_be_rejected(
    receiver: Receiver, queues: Queues, message_id: Any, properties: dict[str, Any]
) -> None:
    await receiver.handle(message_of(message_id=message_id, properties=properties))
    (rejected,) = queues.on("rejected")
    assert queues.properties("rejected")[0]["relay-reason"] == "undecryptable-tampered"
    assert len(str(rejected.message_id).encode()) <= 3 * 128
    ServiceBusMessageBatch(max_size_in_bytes=100_000).add_message(rejected)  # as the SDK encodes it


async def test_what_ends_its_processes_is_rejected_unopened(
    receiver: Receiver, queues: Queues, keys: Keys, markers: CrashMarkers
) -> None:
    message = message_of(deliveries=9)
    await crashed(markers, message, 2)
    await receiver.handle(message)
    (properties,) = queues.properties("rejected")
    assert properties["relay-reason"] == "max-deliveries-exceeded"
    assert properties["relay-detail"] == "delivery 9 of at most 9, after 8 without an outcome"
    assert keys.opened == 0


async def test_a_delivery_whose_receipt_is_pending_is_not_repeated(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    pending = PendingReceipt.by(KEY, DONE).to_properties()
    await receiver.handle(message_of(message_id="mine.1", properties=pending))
    assert queues.receipts() == [DONE]
    assert not partner.accepted


async def test_a_right_to_send_is_not_one_to_report_a_delivery(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    await receiver.handle(message_of(properties=PendingReceipt(DONE, "forged").to_properties()))
    assert len(partner.accepted) == 1
    assert [receipt.at for receipt in queues.receipts()] == [NOW]
    assert queues.receipts()[0].size == 7


REFUSED = Receipt("mine", State.REJECTED, NOW, 1, detail="r: why")


async def test_a_rejection_whose_receipt_is_pending_is_not_repeated(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    pending = PendingReceipt.by(KEY, REFUSED).to_properties()
    await receiver.handle(message_of(message_id="mine.1", properties=pending))
    assert queues.receipts() == [REFUSED]
    assert queues.order == ["receipts"]
    assert not partner.accepted


@pytest.mark.parametrize("receipt", [REFUSED, DONE])
@pytest.mark.parametrize(
    ("body", "order", "state"),
    [
        (b"garbage", ["receipts", "rejected"], State.REJECTED),
        (TOKEN, ["receipts"], State.DELIVERED),
    ],
)
async def test_a_right_to_send_writes_nothing_of_a_planted_receipt(
    receiver: Receiver,
    queues: Queues,
    receipt: Receipt,
    body: bytes | str,
    order: list[str],
    state: State,
) -> None:
    planted = replace(
        receipt,
        at=NOW + timedelta(days=9000),
        attempts=77,
        replay=2**60,
        detail="planted",
        key_version="planted",
        content_type="planted",
        size=77,
    )
    for pending in (PendingReceipt(planted), PendingReceipt.by(DataKey.generate(), planted)):
        await receiver.handle(message_of(body, properties=pending.to_properties()))
    assert queues.order == order * 2
    for sent in queues.receipts():
        assert (sent.state, sent.at, sent.attempts, sent.replay) == (
            *(state, NOW),
            int(state is State.DELIVERED),
            0,
        )
        assert "planted" not in sent.to_json()
        assert sent.size != 77
        assert sent.is_proven == (state is State.DELIVERED)


UNFORESEEN = [
    TimeoutError(),
    RuntimeError("planted"),
    UnicodeError("planted"),
    BusDeniedError("no"),
]


@pytest.mark.parametrize("error", UNFORESEEN)
@pytest.mark.parametrize("fails", ["keys", "partner"])
async def test_what_nobody_foresaw_is_a_failed_attempt_and_never_a_crash(
    receiver: Receiver,
    queues: Queues,
    keys: Keys,
    partner: PartnerDouble,
    caplog: pytest.LogCaptureFixture,
    fails: str,
    error: Exception,
) -> None:
    (keys if fails == "keys" else partner).error = error
    await receiver.handle(message_of())
    assert queues.order == ["retries", "receipts"]
    assert queues.properties("retries")[0]["relay-attempts"] == "1"
    await receiver.handle(message_of(properties={"relay-attempts": "2"}))
    assert queues.properties("rejected")[0]["relay-reason"] == "retries-exhausted"
    assert "planted" not in caplog.text + str(queues.properties("rejected"))


@pytest.mark.parametrize("deliveries", [1, 9])
async def test_a_confirmed_delivery_is_recorded_however_often_the_message_came(
    receiver: Receiver, queues: Queues, partner: PartnerDouble, deliveries: int
) -> None:
    pending = PendingReceipt.by(KEY, DONE).to_properties()
    await receiver.handle(
        message_of(message_id="mine.1", properties=pending, deliveries=deliveries)
    )
    assert queues.receipts() == [DONE]
    assert queues.order == ["receipts"]
    assert not partner.accepted


async def test_a_forged_confirmation_does_not_keep_a_message_from_being_rejected(
    receiver: Receiver, queues: Queues, partner: PartnerDouble, markers: CrashMarkers
) -> None:
    forged = PendingReceipt(DONE, "forged").to_properties()
    message = message_of(properties=forged, deliveries=9)
    await crashed(markers, message, 2)
    await receiver.handle(message)
    assert queues.properties("rejected")[0]["relay-reason"] == "max-deliveries-exceeded"
    assert not partner.accepted


async def test_while_the_vault_is_away_a_confirmed_delivery_waits_with_its_receipt(
    receiver: Receiver, queues: Queues, keys: Keys
) -> None:
    pending = PendingReceipt.by(KEY, DONE).to_properties()
    keys.error = VaultUnavailableError("decrypt", "no answer")
    await receiver.handle(message_of(message_id="mine.1", properties=pending, deliveries=9))
    assert queues.order == ["retries", "receipts"]
    assert pending.items() <= queues.properties("retries")[0].items()


async def test_while_no_queue_takes_a_receipt_the_partner_gets_the_message_once(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    queues.denied |= {"receipts", "retries"}
    for deliveries in range(1, 12):
        with pytest.raises(BusDeniedError):
            await receiver.handle(message_of(deliveries=deliveries))
    queues.denied.clear()
    await receiver.handle(message_of(deliveries=12))
    assert [receipt.state for receipt in queues.receipts()] == [State.DELIVERED]
    assert queues.order == ["receipts"]
    assert len(partner.accepted) == 1
    await receiver.handle(message_of())
    assert len(partner.accepted) == 2, "once it is reported, a repeat is one of the queue's"


@pytest.mark.parametrize("queue", ["retries", "rejected", "receipts"])
@pytest.mark.parametrize("restarts", [False, True])
async def test_no_number_of_refusals_rejects_a_message(
    queues: Queues,
    keys: Keys,
    partner: PartnerDouble,
    markers: CrashMarkers,
    queue: str,
    restarts: bool,
) -> None:
    """Whatever queue refuses, and whether the receiver is the same one or another each time."""
    refused = {"retries"} if queue == "retries" else {"retries", queue}
    queues.denied |= refused
    partner.error = {
        "retries": PartnerUnavailableError("away"),
        "rejected": PartnerRefusedError("400"),
    }.get(queue)
    receiver = started(queues, keys, partner, markers)
    for deliveries in range(1, 100):
        if restarts:
            receiver = started(queues, keys, partner, markers)
        with pytest.raises(BusDeniedError):
            await receiver.handle(message_of(deliveries=deliveries))
    assert queues.order == []
    queues.denied.clear()
    await receiver.handle(message_of(deliveries=100))
    reasons = [one["relay-reason"] for one in queues.properties("rejected")]
    assert reasons == (["partner-refused"] if queue == "rejected" else [])


async def test_while_its_next_queue_refuses_a_message_the_partner_is_not_asked_again(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    partner.error = PartnerUnavailableError("away", retry_after=3600)
    queues.denied.add("retries")
    for deliveries in range(1, 30):
        with pytest.raises(BusDeniedError):
            await receiver.handle(message_of(deliveries=deliveries))
    assert partner.asked == 1
    queues.denied.clear()
    queues.now += timedelta(minutes=10)
    await receiver.handle(message_of(deliveries=30))
    assert partner.asked == 1
    (waiting,) = queues.on("retries")
    assert waiting.scheduled_enqueue_time_utc == NOW + timedelta(hours=1)
    assert queues.properties("retries")[0]["relay-attempts"] == "1"


async def test_an_attempt_that_is_due_while_a_queue_refuses_is_made_and_counted(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    partner.error = PartnerUnavailableError("away")
    queues.denied.add("retries")
    for deliveries in (1, 2):
        with pytest.raises(BusDeniedError):
            await receiver.handle(message_of(deliveries=deliveries))
        queues.now += timedelta(seconds=5)
    assert partner.asked == 2
    partner.error = None
    queues.now += timedelta(minutes=5)
    await receiver.handle(message_of(deliveries=3))
    assert [receipt.attempts for receipt in queues.receipts()] == [3]


async def test_what_an_operator_has_is_not_rejected_again_for_its_receipt(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    partner.error = PartnerRefusedError("400")
    queues.denied |= {"receipts", "retries"}
    for deliveries in range(1, 5):
        with pytest.raises(BusDeniedError):
            await receiver.handle(message_of(deliveries=deliveries))
    queues.denied.clear()
    await receiver.handle(message_of(deliveries=5))
    assert queues.order == ["rejected", "receipts"]
    assert queues.receipts()[0].state is State.REJECTED


async def test_of_what_nothing_opened_the_ledger_hears_once_while_it_cannot_be_rejected(
    receiver: Receiver, queues: Queues
) -> None:
    queues.denied.add("rejected")
    for deliveries in range(1, 5):
        with pytest.raises(BusDeniedError):
            await receiver.handle(message_of(b"garbage", deliveries=deliveries))
    queues.denied.clear()
    await receiver.handle(message_of(b"garbage", deliveries=5))
    assert queues.order == ["receipts", "rejected"]


async def test_another_message_under_the_id_of_a_confirmed_one_is_not_it(
    receiver: Receiver, queues: Queues, partner: PartnerDouble
) -> None:
    queues.denied |= {"receipts", "retries"}
    with pytest.raises(BusDeniedError):
        await receiver.handle(message_of())
    queues.denied.clear()
    await receiver.handle(message_of(seal(b"other", MessageHeader("mine", "a/b"), KEY, WRAPPED)))
    assert [one.payload for one in partner.accepted] == [b"payload", b"other"]


async def test_a_partner_that_is_away_is_one_line_of_the_log(
    receiver: Receiver, partner: PartnerDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    partner.error = PartnerUnavailableError("away")
    for message_id in map(str, range(20)):
        await receiver.handle(message_of(token_of(message_id), message_id))
    partner.error = None
    await receiver.handle(message_of())
    assert [line.partition(",")[0] for line in caplog.messages] == [
        "the partner is away",
        "the partner serves again",
    ]


async def test_no_payload_and_no_key_is_in_the_log(
    receiver: Receiver, partner: PartnerDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = seal(b"planted", MessageHeader("mine", "a/b"), KEY, WRAPPED)
    for error in (None, PartnerUnavailableError("away"), PartnerRefusedError("400")):
        partner.error = error
        await receiver.handle(message_of(token))
    assert caplog.messages
    assert "planted" not in caplog.text


def test_the_real_clients_are_made_from_the_settings() -> None:
    async def make() -> list[str | None]:
        functions = blueprint(settings())
        built = [one.build() for one in functions._function_builders]
        return [one.get_function_name() for one in built]

    assert asyncio.run(make()) == ["receive", "retry", "triage"]
    assert policy_of(settings()) == Policy(Schedule.parse("7s"), 12, 5)


def settings() -> ReceiverSettings:
    own = {
        "RELAY_RETRY_SCHEDULE": "7s",
        "RELAY_WAIT_SECONDS": "12",
        "RELAY_MAX_DELIVERIES": "5",
    }
    loaded = load_settings(environment("receiver", **own))["receiver"]
    assert isinstance(loaded, ReceiverSettings)
    return loaded
