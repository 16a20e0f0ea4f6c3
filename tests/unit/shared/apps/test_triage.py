"""What the bus gave up: who is believed, and where it goes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from azure.functions.servicebus import ServiceBusMessage as Triggered
from azure.servicebus import ServiceBusMessage

from shared.apps.outcomes import Outcomes
from shared.apps.triage import MAX_RETURNS, Triage
from shared.azure.queues import BusDeniedError
from shared.azure.vault import VaultUnavailableError
from shared.message.data_keys import DataKeyCache
from shared.message.envelope import DataKey, DecryptionError, MessageHeader, WrappedKey, seal
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.settings.environment import load as load_settings
from shared.settings.settings import ReceiverSettings
from shared.telemetry.outages import Outages
from tests.unit.shared.settings.test_settings import environment

KEY = DataKey.generate()
WRAPPED = WrappedKey("kid", b"key")
TOKEN = seal(b"payload", MessageHeader("mine", "a/b"), KEY, WRAPPED)
RECEIPT = Receipt("other", State.DELIVERED, datetime.now(UTC), attempts=1).to_json().encode()
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
    return Triggered(
        body=body,
        message_id=message_id,
        delivery_count=deliveries,
        dead_letter_source=source,
        application_properties=properties,
        user_properties=properties,
    )


class Bus:
    """What was sent, by queue; a queue of `denied` takes nothing."""

    def __init__(self) -> None:
        self.sent: dict[str, list[ServiceBusMessage]] = {"later": [], "aside": [], "record": []}
        self.denied: set[str] = set()

    def to(self, queue: str) -> Any:
        async def send(message: ServiceBusMessage) -> None:
            if queue in self.denied:
                raise BusDeniedError("refused")
            self.sent[queue].append(message)

        return send

    def bodies(self, queue: str) -> list[bytes]:
        return [b"".join(message.body) for message in self.sent[queue]]

    def properties(self, queue: str) -> list[dict[str, Any]]:
        return [
            cast("dict[str, Any]", message.application_properties) for message in self.sent[queue]
        ]

    def receipts(self) -> list[Receipt]:
        return [Receipt.from_json(body) for body in self.bodies("record")]


class Vault:
    def __init__(self) -> None:
        self.error: Exception | None = None

    async def decrypt(self, wrapped: WrappedKey) -> bytes:
        if self.error:
            raise self.error
        if wrapped != WRAPPED:
            raise DecryptionError("wrong-key", "it names a key that is not this receiver's")
        return KEY.secret


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def triage(bus: Bus, vault: Vault) -> Triage:
    names = {"RELAY_QUEUE_RECEIPTS": "receipts", "RELAY_QUEUE_MESSAGES": "messages"}
    settings = load_settings(environment("receiver", **names))["receiver"]
    assert isinstance(settings, ReceiverSettings)
    outages = Outages(logging.getLogger("test"))
    outcomes = Outcomes(bus.to("later"), bus.to("aside"), bus.to("record"), 30, outages)
    return Triage(settings, DataKeyCache(vault.decrypt, 10, 60), outcomes)


@pytest.mark.parametrize("source", ["receipts", "Receipts"])
async def test_a_receipt_goes_to_the_ledger_again_as_it_was(
    triage: Triage, bus: Bus, source: str
) -> None:
    await triage.sort(letter(RECEIPT, source))
    assert bus.bodies("record") == [RECEIPT]
    assert bus.properties("record") == [{"relay-returns": "1"}]
    assert not bus.sent["aside"]


async def test_a_receipt_that_comes_back_too_often_goes_to_an_operator(
    triage: Triage, bus: Bus
) -> None:
    await triage.sort(letter(RECEIPT, "receipts", more={"relay-returns": str(MAX_RETURNS - 1)}))
    assert bus.properties("record") == [{"relay-returns": str(MAX_RETURNS)}]
    await triage.sort(letter(RECEIPT, "receipts", more={"relay-returns": str(MAX_RETURNS)}))
    assert bus.bodies("aside") == [RECEIPT]
    (properties,) = bus.properties("aside")
    assert properties["relay-reason"] == "receipt-not-recorded"
    assert "MaxDeliveryCountExceeded" in properties["relay-detail"]
    assert properties["relay-kind"] == "receipt"
    assert bus.sent["aside"][0].message_id == "other"


@pytest.mark.parametrize("returns", ["", "-1", "x", "1.5", "99999", None, 7.5, {}])
async def test_a_strange_count_of_returns_counts_as_none(
    triage: Triage, bus: Bus, returns: object
) -> None:
    await triage.sort(letter(RECEIPT, "receipts", more={"relay-returns": returns}))
    assert bus.properties("record") == [{"relay-returns": "1"}]


async def test_a_receipt_that_cannot_be_returned_is_set_aside_before_the_bus_gives_it_up(
    triage: Triage, bus: Bus
) -> None:
    bus.denied.add("record")
    for deliveries in range(1, 9):
        with pytest.raises(BusDeniedError):
            await triage.sort(letter(RECEIPT, "receipts", deliveries=deliveries))
    await triage.sort(letter(RECEIPT, "receipts", deliveries=9))
    assert bus.bodies("aside") == [RECEIPT]


async def test_what_is_no_receipt_goes_to_an_operator_at_once(triage: Triage, bus: Bus) -> None:
    await triage.sort(letter(b"\xff planted", "receipts"))
    assert bus.bodies("aside") == [b"\xff planted"]
    assert bus.properties("aside")[0]["relay-reason"] == "not-a-receipt"
    assert "planted" not in str(bus.properties("aside"))
    assert not bus.sent["record"]


@pytest.mark.parametrize("source", ["messages", "retries", None, "elsewhere"])
async def test_a_message_that_looks_like_a_receipt_writes_nothing_into_the_ledger(
    triage: Triage, bus: Bus, source: str | None
) -> None:
    """A right to send to `messages` is none to say `delivered` of another."""
    forged = {"relay-kind": "receipt", "relay-returns": "0"}
    await triage.sort(letter(RECEIPT, source, "other", more=forged))
    assert not bus.sent["record"]
    assert bus.bodies("aside") == [RECEIPT]
    assert "relay-kind" not in bus.properties("aside")[0]


@pytest.mark.parametrize("source", ["messages", "retries"])
async def test_a_message_goes_to_an_operator_with_the_buses_reason_and_the_ledger_hears_of_it(
    triage: Triage, bus: Bus, source: str
) -> None:
    await triage.sort(letter(TOKEN.encode(), source, more={"relay-attempts": "3"}))
    assert bus.bodies("aside") == [TOKEN.encode()]
    (properties,) = bus.properties("aside")
    assert properties["relay-reason"] == "MaxDeliveryCountExceeded"
    assert properties["relay-detail"].endswith(f"attempts.; dead-lettered from {source}")
    assert properties["relay-attempts"] == "3"
    (receipt,) = bus.receipts()
    assert (receipt.message_id, receipt.state, receipt.attempts) == ("mine", State.REJECTED, 3)
    assert receipt.detail
    assert receipt.detail.startswith("MaxDeliveryCountExceeded: ")


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (b"garbage", "mine"),
        (b"", "mine"),
        (TOKEN.encode(), "other"),
        (TOKEN.encode(), ""),
        (TOKEN.replace(".", "..", 1).encode(), "mine"),
        (seal(b"x", MessageHeader("mine", "a/b"), KEY, WrappedKey("x", b"y")).encode(), "mine"),
        (seal(b"x", MessageHeader("mine", "a/b"), DataKey.generate(), WRAPPED).encode(), "mine"),
    ],
)
async def test_what_does_not_open_under_its_own_id_moves_no_row(
    triage: Triage, bus: Bus, body: bytes, message_id: str
) -> None:
    await triage.sort(letter(body, "messages", message_id))
    assert bus.bodies("aside") == [body]
    assert not bus.sent["record"]


async def test_while_the_vault_is_away_a_message_stays_until_its_last_delivery(
    triage: Triage, bus: Bus, vault: Vault
) -> None:
    vault.error = VaultUnavailableError("decrypt", "no answer")
    with pytest.raises(VaultUnavailableError):
        await triage.sort(letter(TOKEN.encode(), "messages", deliveries=8))
    assert not bus.sent["aside"]
    await triage.sort(letter(TOKEN.encode(), "messages", deliveries=9))
    assert bus.bodies("aside") == [TOKEN.encode()]
    assert not bus.sent["record"]


async def test_one_that_waited_for_its_receipt_only_is_done_by_it(triage: Triage, bus: Bus) -> None:
    done = Receipt("mine", State.DELIVERED, datetime.now(UTC), attempts=1)
    pending = {
        "relay-pending-receipt": done.to_json(),
        "relay-pending-receipt-mac": KEY.receipt_mac(done.to_json()),
    }
    await triage.sort(letter(TOKEN.encode(), "retries", more=pending))
    assert bus.receipts() == [done]
    assert not bus.sent["aside"]


async def test_a_delivery_that_nobody_confirmed_is_not_believed(triage: Triage, bus: Bus) -> None:
    done = Receipt("mine", State.DELIVERED, datetime.now(UTC), attempts=1)
    await triage.sort(
        letter(TOKEN.encode(), "retries", more={"relay-pending-receipt": done.to_json()})
    )
    assert [receipt.state for receipt in bus.receipts()] == [State.REJECTED]


async def test_a_receipt_of_a_rejection_that_cannot_be_sent_is_owed(
    triage: Triage, bus: Bus
) -> None:
    bus.denied.add("record")
    await triage.sort(letter(TOKEN.encode(), "messages"))
    assert len(bus.sent["aside"]) == 1
    (waiting,) = bus.properties("later")
    assert Receipt.from_json(waiting["relay-pending-receipt"]).state is State.REJECTED
