"""The sender without a cloud: a request in, what it writes, sends and answers."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import azure.functions as func
import pytest
from azure.servicebus import ServiceBusMessage

from shared.apps.admission import Admission
from shared.apps.idempotency import IdempotencyKey
from shared.apps.sender import Sender
from shared.apps.sender_clients import SenderClients
from shared.azure.queues import (
    BusDeniedError,
    BusUnavailableError,
    MessageTooLargeError,
    QueueRefusedError,
)
from shared.azure.vault import VaultDeniedError, VaultRefusedError, VaultUnavailableError
from shared.ledger.entry import Backlog, LedgerEntry, NewMessage
from shared.ledger.errors import LedgerError, LedgerUnavailableError
from shared.message.envelope import DataKey, SealedMessage, WrappedKey
from shared.message.formats import Formats
from shared.message.message_id import bus_id_key, initial_bus_id
from shared.message.state import State
from shared.telemetry.outages import Outages
from tests.unit.shared.apps.sender_requests import KEY, TRACE, request
from tests.unit.shared.ledger.entries import entry_of

VERSION = "0123456789abcdef0123456789abcdef"
WRAPPED = WrappedKey(f"https://payload.vault.azure.net/keys/payload/{VERSION}", b"wrapped")


@dataclass
class Services:
    """The key, the queue and the ledger, what they did in order, and how each fails."""

    fails: dict[str, Exception] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    sent: list[ServiceBusMessage] = field(default_factory=list)
    entries: dict[str, LedgerEntry] = field(default_factory=dict)
    key: DataKey = field(default_factory=DataKey.generate)
    secret: str = "postgresql+asyncpg://relay:password@database/relay"
    prepared: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    now: float = 0.0
    under_way: Backlog = field(default_factory=lambda: Backlog(0, 0))

    def __post_init__(self) -> None:
        self.gate.set()

    async def acquire(self, size: int) -> tuple[DataKey, WrappedKey]:
        self._do(f"key for {size} bytes", "key")
        return self.key, WRAPPED

    async def send(self, message: ServiceBusMessage) -> None:
        await self.gate.wait()
        self._do("send", "send")
        self.sent.append(message)

    async def accept(self, message: NewMessage) -> LedgerEntry:
        self._do("accept", "accept")
        return self.entries.setdefault(message.id, entry_of(message))

    async def queued(self, message_id: str, key_version: str, at: datetime) -> None:
        self._do(f"queued under {key_version}", "queued")

    async def backlog(self, since: datetime, limit: int) -> Backlog:
        if "backlog" in self.fails:
            raise self.fails["backlog"]
        return self.under_way

    async def bus_id_key(self) -> bytes:
        return bus_id_key(self.secret)

    async def prepare(self) -> None:
        self.prepared += 1

    def _do(self, what: str, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]
        self.done.append(what)


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def clients(services: Services) -> SenderClients:
    outages = Outages(logging.getLogger("test_sender"))
    admission = Admission(services.backlog, 1, lambda: services.now)
    of_ids, prepare = services.bus_id_key, services.prepare
    return SenderClients(services, services.send, services, outages, of_ids, prepare, admission)


@pytest.fixture
def sender(clients: SenderClients) -> Sender:
    return Sender(clients, 100, "https://tracker.example")


def content(response: func.HttpResponse) -> Any:
    return json.loads(response.get_body())


async def test_a_message_is_in_the_ledger_then_on_the_queue_then_answered(
    sender: Sender, services: Services
) -> None:
    response = await sender.answer(request(content_type="a/b", traceparent=TRACE))
    assert response.status_code == 202
    assert content(response)["state"] == "queued"
    assert services.done == ["accept", "key for 7 bytes", "send", f"queued under {VERSION}"]
    (message,) = services.sent
    sealed = SealedMessage.from_token(b"".join(message.body))
    assert sealed.open(services.key) == b"payload"
    assert sealed.wrapped == WRAPPED
    assert sealed.header.content_type == "a/b"
    assert sealed.header.message_id == content(response)["id"] == message.message_id
    assert message.application_properties == {"traceparent": TRACE, "Diagnostic-Id": TRACE}


async def test_the_key_and_the_link_are_prepared_once_and_beside_the_ledger(
    clients: SenderClients, services: Services
) -> None:
    prepared = asyncio.Event()

    async def prepare() -> None:
        services.done.append("prepare")
        prepared.set()

    async def accept(message: NewMessage) -> LedgerEntry:
        await prepared.wait()
        return await Services.accept(services, message)

    services.accept = accept  # type: ignore[method-assign]
    sender = Sender(replace(clients, prepare=prepare), 100, "")
    answers = await asyncio.gather(*(sender.answer(request()) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [202] * 3
    assert services.done.count("prepare") == 1


async def test_a_message_is_accepted_while_what_was_prepared_for_it_is_not_done(
    clients: SenderClients, services: Services
) -> None:
    sender = Sender(replace(clients, prepare=asyncio.Event().wait), 100, "")  # type: ignore[arg-type]
    assert (await sender.answer(request())).status_code == 202
    assert services.sent


async def test_messages_are_sealed_in_the_format_that_is_set(
    clients: SenderClients, services: Services
) -> None:
    await Sender(clients, 100, "", format_emitted=2).answer(request())
    token = b"".join(services.sent[0].body).decode()
    sealed = SealedMessage.from_token(token, Formats(frozenset({2})))
    assert sealed.open(services.key) == b"payload"


@pytest.mark.parametrize(
    ("step", "done"),
    [("accept", []), ("key", ["accept"]), ("send", ["accept", "key for 7 bytes"])],
)
@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (VaultUnavailableError("encrypt", "planted", retry_after=7), 503, "7"),
        (VaultDeniedError("encrypt", "planted"), 503, "5"),
        (BusUnavailableError("planted"), 503, "5"),
        (BusDeniedError("planted"), 503, "5"),
        (LedgerUnavailableError("planted"), 503, "5"),
        (TimeoutError("planted"), 503, "5"),
        (VaultRefusedError("encrypt", "planted"), 500, None),
        (LedgerError("planted"), 500, None),
        (RuntimeError("planted"), 500, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_what_is_not_on_the_queue_is_never_answered_as_accepted(
    sender: Sender,
    services: Services,
    step: str,
    done: list[str],
    error: Exception,
    status: int,
    retry_after: str | None,
) -> None:
    services.fails[step] = error
    response = await sender.answer(request())
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.headers.get("Retry-After") == retry_after
    assert "planted" not in str(content(response))
    assert services.done == done
    assert services.sent == []


@pytest.mark.parametrize("error", [LedgerUnavailableError("away"), LedgerError("cannot hold it")])
async def test_what_is_on_the_queue_is_accepted_whatever_the_ledger_says(
    sender: Sender, services: Services, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    services.fails["queued"] = error
    response = await sender.answer(request())
    assert (response.status_code, content(response)["state"]) == (202, "queued")
    assert len(services.sent) == 1
    assert f"{content(response)['id']} stays accepted in the ledger" in caplog.text


async def test_a_message_that_is_too_large_for_its_queue_names_no_limit(
    sender: Sender, services: Services
) -> None:
    services.fails["send"] = MessageTooLargeError("planted")
    response = await sender.answer(request())
    assert response.status_code == 413
    assert "limit" not in content(response)
    assert "it does not fit into the queue" in content(response)["detail"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (bytes(101), {}, 413),
        (b"x", {"content_type": "planted"}, 400),
        (b"x", {"idempotency_key": "planted"}, 400),
    ],
)
async def test_what_cannot_be_accepted_reaches_no_service(
    sender: Sender, services: Services, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = await sender.answer(request(body, **headers))
    assert response.status_code == status
    assert "planted" not in str(content(response))
    assert services.done == []


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.QUEUED, 202),
        (State.RETRYING, 202),
        (State.DELIVERED, 202),
        (State.REJECTED, 409),
        (State.DROPPED, 409),
    ],
)
async def test_a_message_that_was_sent_before_is_answered_with_where_it_is(
    sender: Sender, services: Services, state: State, status: int
) -> None:
    first = await sender.answer(request(idempotency_key=KEY))
    (found,) = services.entries.values()
    services.entries[found.id] = replace(found, state=state, queued_at=found.accepted_at)
    again = await sender.answer(request(idempotency_key=KEY))
    assert again.status_code == status
    if status == 202:
        assert content(again)["state"] == state
        assert content(again)["id"] == content(first)["id"]
    assert len(services.sent) == 1


@pytest.mark.parametrize("state", list(State))
async def test_a_row_that_only_receipts_moved_does_not_keep_a_payload_from_the_queue(
    sender: Sender, services: Services, state: State
) -> None:
    services.fails["send"] = BusUnavailableError("away")
    await sender.answer(request(idempotency_key=KEY))
    del services.fails["send"]
    (found,) = services.entries.values()
    services.entries[found.id] = replace(found, state=state)
    again = await sender.answer(request(idempotency_key=KEY))
    assert (again.status_code, content(again)["state"]) == (202, "queued")
    assert len(services.sent) == 1


async def test_a_message_that_was_accepted_and_not_sent_is_sent_under_the_same_id(
    sender: Sender, services: Services
) -> None:
    services.fails["send"] = BusUnavailableError("away")
    assert (await sender.answer(request(idempotency_key=KEY))).status_code == 503
    del services.fails["send"]
    assert (await sender.answer(request(idempotency_key=KEY))).status_code == 202
    assert (await sender.answer(request(idempotency_key=KEY))).status_code == 202
    # The entry of this test stays `accepted`, so it is sent once more: the queue takes an id once.
    assert len({message.message_id for message in services.sent}) == 1


async def test_an_id_on_the_bus_cannot_be_computed_from_the_request_alone(
    sender: Sender, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await sender.answer(request(idempotency_key=KEY))
    services.secret = "another"
    services.entries.clear()
    await sender.answer(request(idempotency_key=KEY))
    first, second = (str(message.message_id) for message in services.sent)
    assert first != second
    assert first.partition("~")[0] == second.partition("~")[0]
    own = IdempotencyKey.parse(KEY)
    fingerprint = own.fingerprint(b"payload", "application/octet-stream")
    assert second == initial_bus_id(own.message_id(), fingerprint, bus_id_key("another"))
    assert sha256(fingerprint).digest()[:12] != base64.urlsafe_b64decode(first.partition("~")[2])
    assert "~" not in caplog.text


async def test_another_message_under_the_same_key_is_refused(
    sender: Sender, services: Services
) -> None:
    await sender.answer(request(idempotency_key=KEY))
    response = await sender.answer(request(b"other", idempotency_key=KEY))
    assert response.status_code == 422
    assert len(services.sent) == 1


async def test_requests_with_one_key_at_the_same_time_are_one_message(
    sender: Sender, services: Services
) -> None:
    services.gate.clear()
    running = [asyncio.create_task(sender.answer(request(idempotency_key=KEY))) for _ in range(5)]
    await asyncio.sleep(0)
    services.gate.set()
    responses = await asyncio.gather(*running)
    assert {response.status_code for response in responses} == {202}
    assert len(services.sent) == 1


async def test_one_outage_is_one_line_in_the_log(
    sender: Sender, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    services.fails["accept"] = LedgerUnavailableError("no answer")
    for _ in range(5):
        await sender.answer(request(b"planted"))
    del services.fails["accept"]
    await sender.answer(request(b"planted"))
    outage, back, _ = caplog.messages
    assert outage == "the ledger is away, until further notice: no answer"
    assert back.startswith("the ledger serves again")
    assert "planted" not in caplog.text


async def test_a_fault_is_in_the_log_with_its_trace(
    sender: Sender, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.fails["key"] = RuntimeError("a fault")
    await sender.answer(request())
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[1] is services.fails["key"]


async def test_while_too_much_is_under_way_callers_are_told_when_to_come_back(
    sender: Sender, services: Services
) -> None:
    services.under_way = Backlog(1000, 0)
    assert (await sender.answer(request())).status_code == 202
    await asyncio.sleep(0)  # the ledger answers beside the first request
    done = list(services.done)
    for one in (request(), request(idempotency_key=KEY)):
        response = await sender.answer(one)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert services.done == done, "not even a row in the ledger"
    assert (await sender.answer(request(b""))).status_code == 400


async def test_while_the_queue_refuses_one_message_at_a_time_leaves_a_row(
    sender: Sender, services: Services
) -> None:
    services.fails["send"] = QueueRefusedError("full")
    assert (await sender.answer(request())).status_code == 503
    services.gate.clear()
    probe = asyncio.create_task(sender.answer(request()))
    await asyncio.sleep(0)
    for _ in range(5):
        response = await sender.answer(request())
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert services.done.count("accept") == 2
    del services.fails["send"]
    services.gate.set()
    assert (await probe).status_code == 202
    assert (await sender.answer(request())).status_code == 202
