"""`python -m ops prove` against a running cloud, and the function `access` that it asks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from shared.access.probes import ProbeTarget
from shared.access.probing import probe_as
from shared.azure.network import ConnectionOptions
from shared.settings.inventory import Inventory
from tests.pipeline.access_audit import Prover
from tests.pipeline.allowed import Snapshot
from tests.pipeline.cloud_process import ROOT, Running
from tests.pipeline.mutations import every, expected
from tests.pipeline.ops_cli import ops


async def prove(cloud: Running, *options: str) -> tuple[int, str]:
    ended = await ops(cloud, "prove", *options)
    assert all(line.startswith("still trying ") for line in ended.err.splitlines()), ended.err
    return ended.code, ended.out


async def proven(cloud: Running) -> dict[str, Any]:
    code, out = await prove(cloud, "--json")
    found: dict[str, Any] = json.loads(out)
    assert code == (0 if found["proven"] else 1)
    return found


async def test_access_is_proven_as_declared(each_cloud: Running) -> None:
    found = await proven(each_cloud)
    assert found["proven"]
    assert found["differences"] == []
    assert (found["not_asked"], found["silent"], found["of_another_declaration"]) == ([], {}, [])
    # Everything was tried: each identity with each operation on each object, the operator's too.
    access = json.loads((ROOT / "infra" / "access.json").read_text())
    attached = {name for app in access["apps"] for name in app["identities"]}
    operations = 3 * len(access["keys"]) + 2 * len(access["secrets"]) + 2 * len(access["queues"])
    callers = len(attached) + len(access["apps"]) + len(access["operators"])
    tokens = len(access["apps"]) * (len(attached) + 1)
    assert len(found["tried"]) >= callers * operations + tokens


DEPARTURES = (
    "remove sender_bus at queues/messages",
    "add encrypt get key payload",
    "let Relay encrypt with a key (local) Microsoft.KeyVault/vaults/keys/decrypt/action",
    "raise sender_bus from queues/messages to namespaces/relay-local",
    "attach decrypt to sender",
)
# Rights on queues are the same there.
DEPARTURES_FROM_POLICIES = (
    "forbid decrypt decrypt keys",
    "add encrypt get key payload",
    "add partner list secret database-connection",
)


@pytest.mark.long
async def test_a_departure_of_each_sort_is_named_and_nothing_else(each_cloud: Running) -> None:
    """A few; `make test-all` plays every one."""
    original = Snapshot.load(each_cloud.snapshot)
    names = DEPARTURES_FROM_POLICIES if "policies" in each_cloud.snapshot.name else DEPARTURES
    chosen = [one for one in every(original) if one.name in names]
    assert len(chosen) == len(names)
    assert all(expected(original, one) for one in chosen)
    prover = Prover(each_cloud, original)
    try:
        assert (await prover.ask_all()).differences() == []
        wrong = [wrong for one in chosen for wrong in await prover.check(one, ask_everyone=True)]
    finally:
        await each_cloud.deploy(original.document)
    assert wrong == []


async def test_a_suspended_grant_is_named(cloud: Running) -> None:
    await cloud.control("PUT", "/grants/tracker_bus/off")
    try:
        found = await proven(cloud)
    finally:
        await cloud.control("PUT", "/grants/tracker_bus/on")
    assert {
        (one["verdict"], one["identity"], one["operation"], one["object"])
        for one in found["differences"]
    } == {
        ("narrower", "tracker_bus", "receive", "receipts"),
        ("narrower", "tracker_bus", "send", "receipts"),
        ("narrower", "tracker_bus", "send", "rejected"),
    }


async def test_an_app_that_is_down_is_not_proven(cloud: Running) -> None:
    await cloud.control("POST", "/apps/tracker/stop")
    try:
        code, out = await prove(cloud)
    finally:
        await cloud.control("POST", "/apps/tracker/start")
    assert code == 1
    assert "tracker did not answer" in out
    assert "WIDER than declared:" not in out


@pytest.mark.long
async def test_a_grant_that_is_used_is_distinguished_from_one_that_is_not(cloud: Running) -> None:
    async with cloud.session() as session:
        await cloud.received({await cloud.send(session, b"used", "text/plain")})
    code, out = await prove(cloud, "--used")
    assert code == 1
    assert "not needed: receiver_bus: send queue retries" in out
    assert "not needed: encrypt: encrypt key payload" not in out
    assert "not needed: decrypt" not in out
    assert "not needed: partner:" not in out
    assert "not needed: partner_state:" not in out


APPS = ("sender", "receiver", "tracker")


async def ask(cloud: Running, app: str) -> tuple[int, Any]:
    async with (
        cloud.session() as session,
        session.get(f"{cloud.endpoints[app]}/api/access") as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def findings(cloud: Running, app: str) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    status, body = await ask(cloud, app)
    assert status == 200
    assert body["app"] == app
    assert body["declaration"]
    return {(f["identity"], f["kind"], f["object"], f["operation"]): f for f in body["findings"]}


async def test_a_second_run_at_the_same_time_is_turned_away(cloud: Running) -> None:
    answers = await asyncio.gather(*(ask(cloud, "receiver") for _ in range(3)))
    by_status = sorted(answers, key=lambda answer: answer[0])
    assert [status for status, _ in by_status] == [200, 409, 409]
    assert "already" in by_status[1][1]["detail"]
    assert (await ask(cloud, "receiver"))[0] == 200


async def test_no_message_is_taken_or_counted_as_delivered(cloud: Running) -> None:
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("rejected") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(b"left alone", message_id="left-alone"))
    environment = await cloud.environment("operator")
    place = ProbeTarget(
        Inventory({}, (), (), ("rejected",)),
        environment["RELAY_BUS__fullyQualifiedNamespace"],
        ConnectionOptions(
            Path(cloud.ca), environment["RELAY_BUS_ENDPOINT"], verify_challenge=False
        ),
    )
    for _ in range(3):
        async with await cloud.credential("operator", "operator") as credential:
            found = await probe_as(place, "operator", credential, 60)
        assert {(f.grant.operation, f.outcome) for f in found} == {
            ("receive", "allowed"),
            ("send", "refused"),
        }
    async with (
        cloud.bus("operator", "operator") as client,
        client.get_queue_receiver("rejected") as receiver,
    ):
        # Neither locked, nor counted: it can be received for the first time.
        (message,) = await receiver.receive_messages(10, max_wait_time=10)
        assert (message.message_id, message.delivery_count) == ("left-alone", 0)
        await receiver.complete_message(message)


@pytest.mark.long
async def test_a_service_that_is_away_is_reported_as_undecided(cloud: Running) -> None:
    await cloud.control("POST", "/bus/stop")
    await cloud.fault(service="vault", operation="keys/encrypt", answer="status", status=503)
    try:
        found = await findings(cloud, "sender")
    finally:
        await cloud.heal()
        await cloud.control("POST", "/bus/start")
    assert found["sender_bus", "queue", "messages", "send"]["verdict"] == "could not tell"
    assert found["encrypt", "key", "payload", "encrypt"]["verdict"] == "could not tell"
    assert found["encrypt", "key", "payload", "encrypt"]["detail"].startswith("503")
    assert found["database", "secret", "database-connection", "get"]["verdict"] == "as declared"


async def test_no_secret_and_no_token_is_in_the_answer_or_in_a_log(cloud: Running) -> None:
    answers = json.dumps([(await ask(cloud, app))[1] for app in APPS])
    secrets = (await cloud.control("GET", "/partner/secrets")).values()
    for text in (answers, cloud.logs()):
        assert "whsec_" not in text
        assert "eyJ" not in text
        assert not any(secret in text for secret in secrets)
