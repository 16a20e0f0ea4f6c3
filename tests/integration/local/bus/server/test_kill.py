"""A bus that is killed again and again while the SDK sends and receives: every message counted."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

PROGRAM = Path(__file__).with_name("serve_kept.py")
ROOT = Path(__file__).parents[5]
SEED = 2026

# The SDK does not close the socket of a connection whose other side broke it.
pytestmark = [
    pytest.mark.usefixtures("left_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass
class Kept:
    """A bus in a process of its own, at one port, with one journal."""

    journal: Path
    port: int = 0
    process: asyncio.subprocess.Process | None = field(default=None)

    async def start(self) -> None:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROGRAM), str(self.journal), str(self.port)),
            cwd=ROOT,
            stdin=pipe,
            stdout=pipe,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout
        self.port = int(await self.process.stdout.readline())

    async def kill(self) -> None:
        assert self.process
        self.process.kill()
        await self.process.wait()

    def client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName=all;SharedAccessKey=a2V5;"
            "UseDevelopmentEmulator=true",
            retry_total=0,
        )


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    bus = Kept(tmp_path / "bus" / "journal")
    await bus.start()
    yield bus
    await bus.kill()


async def drain(bus: Kept, queue: str) -> list[ServiceBusReceivedMessage]:
    """Receive and complete until nothing comes any more."""
    got: list[ServiceBusReceivedMessage] = []
    async with bus.client() as client, client.get_queue_receiver(queue) as receiver:
        while more := await receiver.receive_messages(100, max_wait_time=0.5):
            got += more
            await asyncio.gather(*(receiver.complete_message(one) for one in more))
    return got


class Traffic:
    """One sender and one receiver that outlast the kills, and what was acknowledged to them."""

    def __init__(self, bus: Kept, queue: str) -> None:
        self.bus = bus
        self.queue = queue
        self.ended = False
        self.tried = 0
        self.sent: list[str] = []
        self.completed: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self.progress = asyncio.Event()

    async def more(self, count: int) -> None:
        """Wait until so many more were sent."""
        goal = len(self.sent) + count
        while len(self.sent) < goal:
            self.progress.clear()
            await self.progress.wait()

    async def send(self) -> None:
        while not self.ended:
            with suppress(ServiceBusError):
                async with (
                    self.bus.client() as client,
                    client.get_queue_sender(self.queue) as sender,
                ):
                    while not self.ended:
                        self.tried += 1
                        name = f"{self.tried}"
                        await sender.send_messages(ServiceBusMessage(name, message_id=name))
                        self.sent.append(name)
                        self.progress.set()

    async def receive(self) -> None:
        while not self.ended:
            with suppress(ServiceBusError):
                async with (
                    self.bus.client() as client,
                    client.get_queue_receiver(self.queue) as receiver,
                ):
                    while not self.ended:
                        for one in await receiver.receive_messages(20, max_wait_time=0.2):
                            await self.complete(receiver, one)

    async def complete(self, receiver: ServiceBusReceiver, one: ServiceBusReceivedMessage) -> None:
        # Until the answer is here, nobody knows: it may have been completed or not.
        self.doubtful.add(str(one.message_id))
        await receiver.complete_message(one)
        self.doubtful.discard(str(one.message_id))
        self.completed[str(one.message_id)] += 1


@pytest.mark.parametrize("queue", ["plain", "unique"])
async def test_nothing_acknowledged_is_lost_or_comes_again(kept: Kept, queue: str) -> None:
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    traffic = Traffic(kept, queue)
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic.send())
        group.create_task(traffic.receive())
        for _ in range(6):
            await traffic.more(chance.randint(20, 120))
            await kept.kill()
            await kept.start()
        traffic.ended = True
    rest = [str(one.message_id) for one in await drain(kept, queue)]
    # Each acknowledged one is somewhere; what was confirmed as completed never comes again.
    assert set(traffic.sent) <= set(traffic.completed) | set(rest) | traffic.doubtful
    assert max(traffic.completed.values()) == 1
    assert not set(traffic.completed) & set(rest)
    assert len(rest) == len(set(rest))
    assert len(traffic.sent) > 100


async def test_a_repeat_after_the_kill_is_known_as_one(kept: Kept) -> None:
    for _ in range(2):
        async with kept.client() as client, client.get_queue_sender("unique") as sender:
            await sender.send_messages([ServiceBusMessage("x", message_id=f"{n}") for n in (1, 2)])
        await kept.kill()
        await kept.start()
    assert [one.message_id for one in await drain(kept, "unique")] == ["1", "2"]


async def test_scheduled_deferred_locked_and_dead_ones_survive(kept: Kept) -> None:
    async with kept.client() as client:
        async with client.get_queue_sender("plain") as sender:
            names = ["deferred", "dead", "locked", "waits"]
            await sender.send_messages([ServiceBusMessage(n, message_id=n) for n in names])
        async with client.get_queue_sender("unique") as sender:
            soon = datetime.now(UTC) + timedelta(seconds=1)
            numbers = await sender.schedule_messages(ServiceBusMessage("s", message_id="s"), soon)
            later = ServiceBusMessage("never", message_id="never")
            never = await sender.schedule_messages(later, soon + timedelta(hours=1))
            assert numbers != never
        async with client.get_queue_receiver("plain") as receiver:
            deferred, dead, _locked = await receiver.receive_messages(3, max_wait_time=5)
            await receiver.defer_message(deferred)
            await receiver.dead_letter_message(dead, reason="why")
            # Before the link's end gives the third one back.
            await kept.kill()
            with suppress(ServiceBusError):
                await receiver.close()
    await kept.start()
    async with kept.client() as client:
        async with client.get_queue_receiver("plain") as receiver:
            assert deferred.sequence_number
            (again,) = await receiver.receive_deferred_messages(deferred.sequence_number)
            assert (again.message_id, again.delivery_count) == ("deferred", 1)
            waiting = await receiver.receive_messages(2, max_wait_time=5)
            counts = {one.message_id: one.delivery_count for one in waiting}
            assert counts == {"locked": 1, "waits": 0}
        async with client.get_queue_receiver("plain", sub_queue="deadletter") as receiver:
            (dead,) = await receiver.receive_messages(1, max_wait_time=5)
            assert (dead.message_id, dead.dead_letter_reason) == ("dead", "why")
        async with client.get_queue_receiver("unique") as receiver:
            (due,) = await receiver.receive_messages(1, max_wait_time=5)
            assert due.message_id == "s"
        async with client.get_queue_sender("unique") as sender:
            await sender.cancel_scheduled_messages(never)
