"""The whole local cloud killed and started again in its folder, with messages of every state."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient

from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running

NAMES = ("deferred", "scheduled", "locked", "one", "two", "three")
KEPT = ("sender", "receiver", "tracker", "identity", "vaults", "bus", "partner", "partner_bus")

# The SDK does not close the socket of a connection whose other side broke it.
pytestmark = [
    pytest.mark.usefixtures("left_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def left_sockets() -> Iterator[None]:
    """Collect them before they trouble another module."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def kill(cloud: Running) -> None:
    """Kill the cloud as a machine that fails does; what it left behind stays."""
    os.kill(int((cloud.folder / "lock").read_text()), signal.SIGKILL)
    # Its presence means that a cloud is up, and nobody is left to remove it.
    (cloud.folder / "endpoints.json").unlink()


def refuse_to_start_where_a_vault_would_move(cloud: Running) -> None:
    """Sealed messages name their key by the vault's address, so another one would lose them."""
    port = urlsplit(cloud.endpoints["vaults"][cloud.vault("payload")]).port
    command = (sys.executable, "-m", "local", "up", "--folder", str(cloud.folder))
    with socket.create_server(("127.0.0.1", port or 0)):
        ended = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 1
    assert ended.stdout == ""
    started, error = ended.stderr.splitlines()
    assert started == "Starting the local cloud ..."
    assert error.startswith(f"error: port {port} of vault payload-local is not free")


@pytest.mark.long
async def test_messages_of_every_state_survive(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    with running(folder, SNAPSHOT) as cloud:
        ids = await leave_messages(cloud)
    refuse_to_start_where_a_vault_would_move(cloud)
    with running(folder, SNAPSHOT) as again:
        assert [again.endpoints[name] for name in KEPT] == [cloud.endpoints[name] for name in KEPT]
        expected = {message_id: name for name, message_id in ids.items() if name != "deferred"}
        arrived = await again.received(set(expected))
        assert {i: one.body.decode() for i, one in arrived.items()} == expected
        await settled(again)
        status = await again.control("GET", "/status")
        assert status["partner"]["received"] == len(expected)
        left = {queue: await again.counts(queue) for queue in ("messages", "retries", "rejected")}
        assert [sum(one.values()) for one in left.values()] == [1, 1, 1]
        assert left["messages"]["deferred"] == left["retries"]["scheduled"] == 1


@pytest.mark.long
async def test_messages_are_not_lost_with_the_deployment_of_their_queue(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    with running(folder, SNAPSHOT) as cloud:
        async with (
            cloud.bus("receiver", "receiver_bus") as client,
            client.get_queue_sender("rejected") as sender,
        ):
            await sender.send_messages([ServiceBusMessage("x"), ServiceBusMessage("y")])
    other = tmp_path / "other.snapshot.json"
    document = json.loads((ROOT / "infra" / SNAPSHOT).read_text().replace("rejected", "refused"))
    # Assignments whose names are the old ones still are the old queue's, and stay there.
    document["predictedResources"] = [
        one
        for one in document["predictedResources"]
        if "/queues/refused/" not in one["id"] or one["id"].startswith("[")
    ]
    other.write_text(json.dumps(document))
    # A queue stays where a deployment no longer has it, unless the folder is older than that.
    with running(folder, other) as both:
        assert (await both.counts("rejected"))["active"] == 2
        assert (await both.counts("refused"))["active"] == 0
    (folder / "deployed.json").unlink()
    result = up_until_it_ends(folder, other)
    assert result.returncode == 1
    assert "rejected with 2 messages" in result.stderr


@pytest.mark.long
async def test_a_vault_whose_port_is_taken_does_not_move(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    with running(folder, SNAPSHOT) as cloud:
        url = vault_url(cloud)
    port = int(url.rstrip("/").rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        refused = up_until_it_ends(folder, ROOT / "infra" / SNAPSHOT)
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert "payload" in refused.stderr
    with running(folder, SNAPSHOT) as back:
        assert vault_url(back) == url


def vault_url(cloud: Running) -> str:
    return str(cloud.endpoints["vaults"][cloud.vault("payload")])


def up_until_it_ends(folder: Path, snapshot: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "up", "--folder", folder, "--snapshot", snapshot],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.long
async def test_a_bus_that_was_away_has_its_messages_from_the_file(tmp_path: Path) -> None:
    with running(tmp_path / "cloud", SNAPSHOT) as cloud:
        await cloud.control("POST", "/apps/receiver/stop")
        async with cloud.session() as session:
            ids = {await cloud.send(session, b"x", "a/b") for _ in range(3)}
        for command in ("stop", "stop", "start", "start"):
            await cloud.control("POST", f"/bus/{command}")
            assert sum((await cloud.counts("messages")).values()) == 3
        await cloud.control("POST", "/apps/receiver/start")
        await cloud.received(ids)


@pytest.mark.long
async def test_the_partner_has_a_queue_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path / "cloud", SNAPSHOT) as cloud:
        secrets = await cloud.control("GET", "/partner/secrets")
        assert {kind: json.loads(text)["kind"] for kind, text in secrets.items()} == {
            kind: kind for kind in ("webhook", "servicebus")
        }
        connection = json.loads(secrets["servicebus"])["connection_string"]
        assert f"Endpoint={cloud.endpoints['partner_bus']};" in connection
        assert await cloud.control("GET", "/partner-queue") == []
        async with (
            ServiceBusClient.from_connection_string(connection) as client,
            client.get_queue_sender("inbox") as sender,
        ):
            for n in range(3):
                await sender.send_messages(
                    ServiceBusMessage(bytes([n]), message_id=f"{n}", content_type="a/b")
                )
        last = await cloud.control("GET", "/partner-queue?after=2")
        assert [(one["id"], one["content_type"], one["body"]) for one in last] == [
            ("2", "a/b", base64.b64encode(b"\x02").decode())
        ]
        assert len(await cloud.control("GET", "/partner-queue")) == 3


async def leave_messages(cloud: Running) -> dict[str, str]:
    """Send messages and leave one in each state; return their ids by what is in them."""
    await cloud.control("POST", "/apps/receiver/stop")
    async with cloud.session() as session:
        ids = {name: await cloud.send(session, name.encode(), "a/b") for name in NAMES}
    async with cloud.bus("receiver", "receiver_bus") as client:
        receiver = client.get_queue_receiver("messages")
        deferred, scheduled, _locked = await receiver.receive_messages(3, max_wait_time=10)
        await receiver.defer_message(deferred)
        async with client.get_queue_sender("retries") as sender:
            soon = datetime.now(UTC) + timedelta(seconds=2)
            await sender.schedule_messages(next_attempt(scheduled), soon)
            # Far enough away to be there still when the cloud is back.
            await sender.schedule_messages(ServiceBusMessage("later"), soon + timedelta(hours=1))
        await receiver.complete_message(scheduled)
        async with client.get_queue_sender("rejected") as sender:
            await sender.send_messages(ServiceBusMessage("garbage", message_id="rejected"))
        # Neither is closed: that would give the locked message back.
        kill(cloud)
    return ids


def next_attempt(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """Make of a message the one that goes to the queue of retries, as the receiver does."""
    return ServiceBusMessage(
        b"".join(message.body),
        message_id=f"{message.message_id}.1",
        content_type=message.content_type,
    )


async def settled(cloud: Running) -> None:
    """Wait until nothing of the queue is at the receiver."""
    patience = time.monotonic() + 30
    while (await cloud.counts("messages"))["locked"]:
        assert time.monotonic() < patience
        await asyncio.sleep(0.05)
