"""Ten thousand bad inputs: each gets a clear answer or lands in `rejected`, and nothing dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageProperties

from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.protected_header import MessageHeader
from shared.partner.delivery import PartnerSecretError
from shared.partner.partner import read_secret
from tests.pipeline.cloud_process import SNAPSHOT, Running, running

pytestmark = [pytest.mark.long, pytest.mark.alone]

REQUESTS = 4000
STREAMS = 1500
MESSAGES = 3500
SECRETS = 1000
PLANTED = "planted-Xw7"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("cloud") / "folder"
    with running(folder, SNAPSHOT, "--log-level", "debug") as up:
        yield up


@pytest.fixture
def chance(capsys: pytest.CaptureFixture[str]) -> random.Random:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nseed {seed}")
    return random.Random(seed)  # noqa: S311 - repeatable, and no secret


async def assert_well(cloud: Running) -> None:
    """Every process still lives and does its work, and no log shows what came in."""
    apps = (await cloud.control("GET", "/status"))["apps"]
    assert {app["state"] for app in apps.values()} == {"up"}
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"still here", "text/plain")
    await cloud.received({message_id})
    assert PLANTED not in cloud.logs()


def text(chance: random.Random, longest: int = 40) -> str:
    """Characters that a header can carry on the wire."""
    return "".join(chr(chance.randint(33, 126)) for _ in range(chance.randint(0, longest)))


def bad_request(chance: random.Random) -> tuple[str, str, dict[str, str], bytes, set[int]]:
    """Return method, path, headers, body, and the answers that are right."""
    path, planted = "/api/messages", PLANTED.encode()
    headers = {"Content-Type": "text/plain"}
    key = f'"{uuid.UUID(bytes=chance.randbytes(16))}"'
    kind = chance.randrange(6)
    if kind == 0:
        return "POST", path, {"Content-Type": f"{PLANTED} {text(chance)}"}, planted, {400}
    if kind == 1:
        return (
            "POST",
            path,
            headers | {"Idempotency-Key": key[: chance.randint(1, 16)]},
            planted,
            {400},
        )
    if kind == 2:
        return "POST", path, headers, b"", {400}
    if kind == 3:
        return "POST", path, headers, planted * chance.randint(20_000, 40_000), {413}
    if kind == 4:
        method = chance.choice(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
        return method, path, headers, planted, {404, 405}
    strange = "/".join(
        chance.choice(["api", "messages", "..", "%00", "%ff", "a" * 900]) for _ in range(3)
    )
    return "POST", f"/{strange}/{PLANTED}", headers, planted, {400, 404}


async def test_bad_requests(cloud: Running, chance: random.Random) -> None:
    answers: Counter[int] = Counter()
    limit = asyncio.Semaphore(20)

    async def ask(session: aiohttp.ClientSession) -> None:
        method, path, headers, body, right = bad_request(chance)
        async with (
            limit,
            session.request(
                method, f"{cloud.endpoints['sender']}{path}", headers=headers, data=body
            ) as answer,
        ):
            answers[answer.status] += 1
            text = await answer.text()
            assert answer.status in right, (method, path, headers, answer.status)
            assert PLANTED not in text
            if answer.content_type == "application/problem+json":
                assert json.loads(text)["status"] == answer.status

    async with cloud.session() as session:
        await asyncio.gather(*(ask(session) for _ in range(REQUESTS)))
    assert answers.total() == REQUESTS
    await assert_well(cloud)


BEGINNINGS = [
    b"",
    b"POST /api/messages HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    b"AMQP\x00\x01\x00\x00",
    b"AMQP\x03\x01\x00\x00",
    b"\x16\x03\x01\x02\x00\x01",
]


async def test_streams_that_are_no_requests(cloud: Running, chance: random.Random) -> None:
    """Whatever comes over a connection of whichever port: it is answered or ended."""
    names = ("sender", "receiver", "identity", "partner", "bus", "control")
    ports = [int(cloud.endpoints[name].rpartition(":")[2]) for name in names]

    async def pour(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(chance.choice(BEGINNINGS) + chance.randbytes(chance.randint(0, 3000)))
            await writer.drain()
            writer.write_eof()
            async with asyncio.timeout(60):
                while await reader.read(65536):
                    pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    for _ in range(STREAMS // 20):
        await asyncio.gather(*(pour(chance.choice(ports)) for _ in range(20)))
    await assert_well(cloud)


STRANGE_VALUES = [7, -1, 1.5, True, "\u0000", "x" * 3000, uuid.UUID(int=7), datetime.now(UTC)]


def bad_message(chance: random.Random, key_url: str, number: int) -> Any:
    """Return a message that must end in `rejected`, under an id of its own."""
    message_id = f"bad-{number}"
    kinds: list[Callable[[], Any]] = [
        lambda: chance.randbytes(chance.randint(0, 300)) + PLANTED.encode(),
        lambda: "".join(chance.choice("abc.=-_{}") for _ in range(chance.randint(1, 200))),
        lambda: _altered(chance, _token(chance, key_url, message_id)),
        lambda: _token(chance, key_url, message_id)[: chance.randint(0, 500)],
        lambda: _token(chance, f"https://{PLANTED.lower()}.example/keys/k", message_id),
        lambda: _token(chance, key_url, f"other-{number}"),
        lambda: ".".join(["x" * chance.randint(0, 5000)] * 5),
    ]
    body = chance.choice(kinds)()
    properties = {
        chance.choice(["traceparent", "relay-attempts", "relay-reason", text(chance)]) or "x": value
        for value in chance.sample(STRANGE_VALUES, 3)
    }
    if number % 50 == 0:  # no data section at all, which the Functions host cannot pass on
        return AmqpAnnotatedMessage(
            value_body={"planted": PLANTED}, properties=AmqpMessageProperties(message_id=message_id)
        )
    strange = chance.choice(
        [message_id, f"{message_id}.1", f"{message_id}\u00e4", f"{message_id}.r"]
    )
    return ServiceBusMessage(
        body,
        message_id=strange,
        content_type=chance.choice([None, "", text(chance), "application/jose"]),
        application_properties=properties,  # type: ignore[arg-type]
    )


def _token(chance: random.Random, key_url: str, message_id: str) -> str:
    wrapped = WrappedKey(f"{key_url}/{chance.randbytes(16).hex()}", chance.randbytes(384))
    return seal(
        PLANTED.encode(), MessageHeader(message_id, "text/plain"), DataKey.generate(), wrapped
    ).decode()


def _altered(chance: random.Random, token: str) -> str:
    at = chance.randrange(len(token))
    return token[:at] + chance.choice("AZaz09-_.= ") + token[at + 1 :]


async def test_bad_messages(cloud: Running, chance: random.Random) -> None:
    key_url = (await cloud.environment("sender"))["RELAY_KEY_PAYLOAD"]
    before = len(await cloud.rejections())
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        for start in range(0, MESSAGES, 25):
            messages = [bad_message(chance, key_url, n) for n in range(start, start + 25)]
            await sender.send_messages(messages)
    await cloud.queued("rejected", before + MESSAGES, seconds=300)
    reasons = Counter(
        one.get("relay-reason") or one.get("DeadLetterReason")
        for found in (await cloud.rejections()).values()
        for one in found
    )
    undecryptable = {f"undecryptable-{fault}" for fault in ("malformed", "wrong-key", "tampered")}
    expected = undecryptable | {"MaxDeliveryCountExceeded"}
    assert reasons.keys() == expected, reasons
    await assert_well(cloud)


def test_bad_partner_secrets(chance: random.Random) -> None:
    values: list[Any] = [
        None,
        True,
        7,
        "",
        PLANTED,
        [],
        [PLANTED],
        {},
        {PLANTED: 1},
        "https://x",
        "whsec_",
    ]
    names = ["kind", "url", "secrets", "connection_string", "queue", PLANTED]
    for _ in range(SECRETS):
        document = {
            chance.choice(names): chance.choice(values) for _ in range(chance.randint(0, 5))
        }
        document["kind"] = chance.choice(["webhook", "servicebus", *values])
        secret = json.dumps(document)
        broken = chance.choice([secret, secret[: chance.randint(0, len(secret))]])
        with pytest.raises(PartnerSecretError) as caught:
            read_secret(broken)
        assert PLANTED not in str(caught.value)
