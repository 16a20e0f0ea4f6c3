"""The operator's commands, run as an operator runs them, on messages made by hand."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode

from tests.pipeline.cloud_process import ROOT, Running, text_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PLANTED = "planted-payload-that-nobody-may-see"
MANY = 2000


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = json.loads(self.out)
        return found


async def start(
    cloud: Running, *arguments: str, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    where = () if environment else ("--folder", str(cloud.folder))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops", *arguments, *where),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def end(process: asyncio.subprocess.Process, given: str = "") -> Ended:
    out, err = await process.communicate(given.encode())
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def ops(
    cloud: Running,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    given: str = "",
) -> Ended:
    """Run a command to its end; `given` comes in on standard input."""
    return await end(await start(cloud, *arguments, environment=environment), given)


async def reject(cloud: Running, messages: Iterable[ServiceBusMessage]) -> None:
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("rejected") as sender,
    ):
        waiting = list(messages)
        for first in range(0, len(waiting), 100):
            await sender.send_messages(waiting[first : first + 100])


def message(message_id: str, reason: str = "partner-refused") -> ServiceBusMessage:
    return ServiceBusMessage(
        PLANTED,
        message_id=message_id,
        content_type="application/jose",
        application_properties={
            "relay-reason": reason,
            "relay-attempts": "2",
            "relay-detail": "the partner says 400",
            "traceparent": TRACE,
        },
    )


def numbered(count: int, prefix: str) -> list[ServiceBusMessage]:
    return [message(f"{prefix}{n}.1") for n in range(count)]


@dataclass(frozen=True)
class Taken:
    id: str
    body: str
    content_type: str | None
    properties: Mapping[str, str]


async def taken(cloud: Running) -> list[Taken]:
    """Take what is on `messages` off it."""
    found: list[Taken] = []
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_receiver(
            "messages", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
    ):
        # What has left the queue may not have been handed over yet: only an empty wait is the end.
        page = None
        while page or page is None or await waiting(cloud, "messages"):
            page = await receiver.receive_messages(500, max_wait_time=1)
            for one in page:
                given = one.application_properties or {}
                properties = {text_of(k): text_of(v) for k, v in given.items()}
                body = b"".join(one.body).decode()
                found.append(Taken(one.message_id or "", body, one.content_type, properties))
    return found


async def waiting(cloud: Running, queue: str) -> int:
    return (await cloud.counts(queue))["active"]


async def under_way(cloud: Running, count: int) -> None:
    """Wait until a replay has sent so many messages."""
    while await waiting(cloud, "messages") < count:  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(0.01)


async def left(cloud: Running) -> int:
    """How many messages are on `rejected`, in whatever state."""
    return sum((await cloud.counts("rejected")).values())
