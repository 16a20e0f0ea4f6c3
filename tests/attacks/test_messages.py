"""What somebody who may encrypt and send can do to messages: their own, and those of others."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from shared.apps.idempotency import IdempotencyKey
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.message_id import digest_suffix
from shared.message.protected_header import MessageHeader
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.standards.base64url import encode
from tests.attacks.attacker import Attacker
from tests.pipeline.cloud_process import Running
from tests.pipeline.ops_cli import ops
from tests.tcp import serving

PAYLOAD = b"planted-payload"


@dataclass(frozen=True)
class Sealer:
    """A data key that Key Vault has encrypted: what code in the sender can get."""

    key: DataKey
    wrapped: WrappedKey

    @classmethod
    async def inside(cls, attacker: Attacker) -> Sealer:
        secret = os.urandom(32)
        url = f"{attacker.environment['RELAY_KEY_PAYLOAD']}//encrypt?api-version=7.6"
        body = {"alg": "RSA-OAEP-256", "value": encode(secret)}
        headers = {"Authorization": f"Bearer {await attacker.token('encrypt')}"}
        got = (await attacker.ask("POST", url, json=body, headers=headers)).json
        attacker.secrets.add(encode(secret))
        value = base64.urlsafe_b64decode(got["value"] + "==")
        return cls(DataKey(secret), WrappedKey(got["kid"], value))

    def seal(self, message_id: str, kid: str | None = None, cty: str = "text/plain") -> str:
        wrapped = WrappedKey(kid or self.wrapped.key_id, self.wrapped.ciphertext)
        return seal(PAYLOAD, MessageHeader(message_id, cty), self.key, wrapped).decode()


async def send(cloud: Running, messages: dict[str, str], queue: str = "messages") -> None:
    """Send bodies by their message ids, as code in the app that may."""
    app, identity = (
        ("sender", "sender_bus") if queue == "messages" else ("receiver", "receiver_bus")
    )
    async with (
        cloud.bus(app, identity) as client,
        client.get_queue_sender(queue) as sender,
    ):
        await sender.send_messages(
            [ServiceBusMessage(body, message_id=name) for name, body in messages.items()]
        )


async def reasons(cloud: Running, count: int) -> dict[str, list[str]]:
    """Wait until so many messages are rejected; return why, by message id."""
    await cloud.queued("rejected", count)
    found = await cloud.rejections()
    return {name: [one["relay-reason"] for one in ones] for name, ones in found.items()}


@pytest.fixture
async def trap() -> AsyncIterator[int]:
    """Listen where a message says that its key is; nobody must come."""
    visits: list[object] = []

    async def visit(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer.get_extra_info("peername"))

    async with serving(visit) as port:
        yield port
    assert visits == []


async def rejected_before(cloud: Running) -> int:
    return int((await cloud.control("GET", "/status"))["queues"]["rejected"]["active"])


async def test_parts_of_messages_do_not_go_together(cloud: Running, attacker: Attacker) -> None:
    one, other = await Sealer.inside(attacker), await Sealer.inside(attacker)
    before = await rejected_before(cloud)

    def mixed(name: str, mine: str, *theirs: int, by: Sealer = other) -> str:
        """Seal `mine`, and take some parts of another message of another or the same key."""
        parts, others = one.seal(mine).split("."), by.seal(f"{name}-2").split(".")
        return ".".join(others[i] if i in theirs else part for i, part in enumerate(parts))

    same = "swap-same-key-ciphertext"
    bodies = {
        "swap-header-only": mixed("swap-header-only", "swap-header-only", 1, 2, 3, 4),
        "swap-key": mixed("swap-key", "swap-key", 1),
        "swap-nonce": mixed("swap-nonce", "swap-nonce", 2, by=one),
        "swap-tag": mixed("swap-tag", "swap-tag", 4, by=one),
        same: mixed(same, same, 2, 3, 4, by=one),
        # The header of a message for another type or id, before the rest of this one.
        "swap-type": _with_header(one.seal("swap-type", cty="text/html"), one.seal("swap-type")),
        "swap-id": _with_header(one.seal("swap-id"), one.seal("swap-another")),
        "moved": one.seal("whole"),
        "moved-again.1": one.seal("whole"),
        "moved-replayed.r7.1": one.seal("whole"),
    }
    await send(cloud, {"whole": one.seal("whole")} | bodies)
    found = await reasons(cloud, before + len(bodies))
    expected = {name.split(".")[0]: ["undecryptable-tampered"] for name in bodies}
    assert {name: found[name] for name in expected} == expected
    assert (await cloud.received({"whole"}))["whole"].body == PAYLOAD
    _, delivered = await cloud.deliveries()
    assert {one.id for one in delivered} & expected.keys() == set()


async def test_a_right_to_send_does_not_allow_to_report_delivered(
    cloud: Running, attacker: Attacker
) -> None:
    """An operator may send to the queue, but cannot make the ledger record a final outcome."""
    names = ["reported-by-garbage", "reported-by-a-seal"]
    bodies = {names[0]: "garbage", names[1]: (await Sealer.inside(attacker)).seal(names[1])}
    before = await rejected_before(cloud)
    async with (
        cloud.bus("operator", "operator") as client,
        client.get_queue_sender("messages") as sender,
    ):
        for name, body in bodies.items():
            told = Receipt(name, State.DELIVERED, datetime.now(UTC), detail="planted").to_json()
            properties: dict[str | bytes, Any] = {
                "relay-pending-receipt": told,
                "relay-pending-receipt-mac": encode(os.urandom(32)),
            }
            await sender.send_messages(
                ServiceBusMessage(body, message_id=name, application_properties=properties)
            )
    assert (await reasons(cloud, before + 1))[names[0]] == ["undecryptable-malformed"]
    assert (await cloud.entry(names[0], "rejected"))["attempts"] == 0
    await cloud.received({names[1]})
    assert (await cloud.entry(names[1], "delivered"))["detail"] is None


@pytest.mark.parametrize("state", [State.REJECTED, State.DELIVERED])
async def test_a_receipt_under_a_foreseen_id_does_not_keep_a_payload_from_the_partner(
    cloud: Running, state: State
) -> None:
    """Who may send to the queue, or to that of receipts, and foresees a key, loses nobody's."""
    key = f"foreseen-key-of-{state}"
    message_id = IdempotencyKey.parse(f'"{key}"').message_id()
    planted = Receipt(message_id, state, datetime.now(UTC), detail="planted", size=1)
    if state is State.DELIVERED:
        await send(cloud, {"planted": planted.to_json()}, "receipts")
    else:
        async with (
            cloud.bus("operator", "operator") as client,
            client.get_queue_sender("messages") as sender,
        ):
            properties: dict[str | bytes, Any] = {"relay-pending-receipt": planted.to_json()}
            await sender.send_messages(
                ServiceBusMessage(
                    "garbage", message_id=message_id, application_properties=properties
                )
            )
    await cloud.entry(message_id, state)
    status, answer = await _post(cloud, key)
    assert (status, answer["id"], answer["state"]) == (202, message_id, "queued")
    assert (await cloud.received({message_id}))[message_id].body == PAYLOAD
    assert (await cloud.entry(message_id, "delivered"))["size"] == len(PAYLOAD)


async def test_what_an_operator_dropped_is_not_answered_as_accepted(cloud: Running) -> None:
    await cloud.fault(service="partner", answer="status", status=400, times=1)
    _, first = await _post(cloud, "key-of-a-dropped-message")
    await cloud.entry(first["id"], "rejected")
    await cloud.heal()
    (number,) = [one["sequence number"] for one in (await cloud.rejections())[first["id"]]]
    assert (await ops(cloud, "drop", f"#{number}", "--yes")).code == 0
    status, problem = await _post(cloud, "key-of-a-dropped-message")
    assert (status, problem["title"]) == (409, "Conflict")
    _, second = await _post(cloud, "another-key-of-that-message")
    await cloud.received({second["id"]})


async def test_an_id_on_the_bus_confirms_no_guess_of_a_payload(cloud: Running) -> None:
    """Who sees the queue and guesses key, type and payload has nothing to compare them with."""
    key = "guessable-key-of-a-message"
    guess = IdempotencyKey.parse(f'"{key}"')
    await cloud.control("POST", "/apps/receiver/stop")
    try:
        _, answer = await _post(cloud, key)
        async with (
            cloud.bus("receiver", "receiver_bus") as client,
            client.get_queue_receiver("messages") as receiver,
        ):
            ids = [str(one.message_id) for one in await receiver.peek_messages(100)]
        assert answer["id"] == guess.message_id()
        (bus_id,) = [one for one in ids if one.startswith(answer["id"])]
        fingerprint = guess.fingerprint(PAYLOAD, "application/octet-stream")
        assert bus_id.startswith(f"{answer['id']}~")
        assert bus_id != f"{answer['id']}{digest_suffix(fingerprint)}"
    finally:
        await cloud.control("POST", "/apps/receiver/start")
    await cloud.received({answer["id"]})
    assert bus_id not in cloud.logs()


async def _post(cloud: Running, key: str) -> tuple[int, Any]:
    url, headers = f"{cloud.endpoints['sender']}/api/messages", {"Idempotency-Key": f'"{key}"'}
    async with cloud.session() as session, session.post(url, data=PAYLOAD, headers=headers) as got:
        return got.status, await got.json(content_type=None)


def _with_header(header: str, rest: str) -> str:
    return ".".join([header.partition(".")[0], *rest.split(".")[1:]])


KIDS: dict[str, Callable[[str, str, int], str]] = {
    "other-host": lambda key, version, port: f"https://127.0.0.1:{port}/keys/payload/{version}",
    "user": lambda key, version, port: key.replace("//", f"//127.0.0.1:{port}@") + f"/{version}",
    "password": lambda key, version, port: f"{key}@127.0.0.1:{port}/keys/payload/{version}",
    "other-scheme": lambda key, version, port: f"http://127.0.0.1:{port}/keys/payload/{version}",
    "plain": lambda key, version, port: key.replace("https", "http") + f"/{version}",
    "look-alike": lambda key, version, port: (
        key.replace("127.0.0.1", "127.0.0.1.x.example") + f"/{version}"
    ),
    "homoglyph": lambda key, version, port: (
        key.replace("127", "\u0661\u0662\u0667") + f"/{version}"
    ),
    "no-port": lambda key, version, port: f"https://127.0.0.1/keys/payload/{version}",
    "other-port": lambda key, version, port: f"https://127.0.0.1:{port}/keys/payload/{version}",
    "other-key": lambda key, version, port: f"{key}2/{version}",
    "other-case": lambda key, version, port: key.replace("keys", "KEYS") + f"/{version}",
    "secret": lambda key, version, port: key.replace("keys", "secrets") + f"/{version}",
    "up": lambda key, version, port: f"{key}/../../secrets/partner-connection/{version}",
    "escaped": lambda key, version, port: f"{key}%2f..%2f..%2fsecrets/{version}",
    "no-version": lambda key, version, port: key,
    "empty-version": lambda key, version, port: f"{key}/",
    "upper-version": lambda key, version, port: f"{key}/{version.upper()}",
    "query": lambda key, version, port: f"{key}/{version}?x=1",
    "query-before": lambda key, version, port: f"{key}?https://127.0.0.1:{port}/{version}",
    "fragment": lambda key, version, port: f"{key}/{version}#x",
    "newline": lambda key, version, port: f"{key}/{version}\n",
    "unknown-version": lambda key, version, port: f"{key}/{'0' * 32}",
    "nothing": lambda key, version, port: "x",
}


async def test_a_message_sends_the_receiver_to_no_other_key(
    cloud: Running, attacker: Attacker, trap: int
) -> None:
    sealer = await Sealer.inside(attacker)
    key = attacker.environment["RELAY_KEY_PAYLOAD"]
    version = sealer.wrapped.key_id.rpartition("/")[2]
    kids = {f"kid-{name}": make(key, version, trap) for name, make in KIDS.items()}
    for name in ("partner", "database"):
        url = cloud.endpoints["vaults"][cloud.vault(name)]
        kids[f"kid-vault-{name}"] = f"{url}keys/payload/{version}"
    before = await rejected_before(cloud)
    since = (await decisions(cloud, 0))[1]
    await send(cloud, {name: sealer.seal(name, kid) for name, kid in kids.items()})
    found = await reasons(cloud, before + len(kids))
    assert {name: found[name] for name in kids} == {
        name: ["undecryptable-wrong-key"] for name in kids
    }
    asked, _ = await decisions(cloud, since)
    by_vault = {one["object"] for one in asked if one["service"] == "vault"}
    assert by_vault <= {"key payload", "secret partner-connection", "secret partner-state"}
    assert all(one["allowed"] for one in asked)


async def decisions(cloud: Running, after: int) -> tuple[list[dict[str, Any]], int]:
    found = await cloud.control("GET", f"/decisions?after={after}&limit=1000")
    return found["decisions"], found["last"]


async def test_a_message_put_into_another_queue_gets_no_further(
    cloud: Running, attacker: Attacker
) -> None:
    """Code in the receiver can write to these queues; what is undecryptable stays so on any way."""
    sealer = await Sealer.inside(attacker)
    before = await rejected_before(cloud)
    bodies = {"queue-1": sealer.seal("queue-other"), "queue-2": "no sealed message"}
    await send(cloud, bodies, "retries")
    await send(cloud, {"queue-3": sealer.seal("queue-3")}, "retries")
    await send(cloud, {"queue-4": sealer.seal("queue-4"), "queue-5": "{}"}, "receipts")
    found = await reasons(cloud, before + 2)
    assert (found["queue-1"], found["queue-2"]) == (
        ["undecryptable-tampered"],
        ["undecryptable-malformed"],
    )
    await cloud.received({"queue-3"})
    _, delivered = await cloud.deliveries()
    assert {"queue-1", "queue-2", "queue-4", "queue-5"} & {one.id for one in delivered} == set()


async def test_nobody_uses_up_the_id_that_a_message_will_need(cloud: Running) -> None:
    """The queue takes each id once; who may send to it knows whose, but not which, come next."""
    await cloud.fault(service="partner", answer="status", status=503)
    async with cloud.session() as session:
        waiting = await cloud.send(session, PAYLOAD, "text/plain")
        await cloud.entry(waiting, "retrying")
        await cloud.heal()
        await cloud.fault(service="partner", answer="status", status=400, times=1)
        refused = await cloud.send(session, PAYLOAD, "text/plain")
        await cloud.entry(refused, "rejected")
        await cloud.heal()
    (number,) = [one["sequence number"] for one in (await cloud.rejections())[refused]]
    used_up = [f"{waiting}.1", f"{refused}.r{number}", f"{refused}.r{number}.1"]
    used_up += [f"{one}{digest_suffix(body)}" for one in used_up for body in (b"", b"garbage")]
    await send(cloud, dict.fromkeys(used_up, "garbage"))
    assert (await ops(cloud, "replay", f"#{number}")).code == 0
    arrived = await cloud.received({waiting, refused})
    assert [one.body for one in arrived.values()] == [PAYLOAD] * 2


async def test_a_message_sent_again_is_the_same_to_the_partner(
    cloud: Running, attacker: Attacker
) -> None:
    """Who has a sealed message and may send can repeat it: under its id and no other."""
    sealer = await Sealer.inside(attacker)
    body = sealer.seal("again")
    await send(cloud, {"again": body})
    await send(cloud, {"again": body})
    await cloud.received({"again"})
    await send(cloud, {"again.77": body})
    await cloud.queued("messages", 0)
    for _ in range(600):
        _, delivered = await cloud.deliveries()
        times = [one for one in delivered if one.id.startswith("again")]
        if len(times) == 2:
            break
        await asyncio.sleep(0.1)
    assert [(one.id, one.body) for one in times] == [("again", PAYLOAD)] * 2
    assert all(one.verified for one in times)
