"""A local cloud in a process of its own, as `python -m local up` starts it for anybody."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.message.message_id import MessageId
from tests.pipeline.endpoints import Endpoints
from tests.pipeline.waiting import until

ROOT = Path(__file__).resolve().parents[2]
# `make test-all` runs the tests of the usual deployment on another one, too.
SNAPSHOT = os.environ.get("SNAPSHOT", "local.snapshot.json")
POLICIES_SNAPSHOT = "local-policies.snapshot.json"
# For a test of `each_cloud` that `make test` runs with roles and with access policies.
BOTH = pytest.mark.parametrize(
    "each_cloud", [SNAPSHOT, POLICIES_SNAPSHOT], indirect=True, scope="module"
)
_START_SECONDS = 90


@dataclass(frozen=True)
class Received:
    """What the partner got."""

    id: str
    content_type: str
    body: bytes
    verified: bool
    traceparent: str | None
    at: float

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Received:
        """Read what `GET /received` lists; `at` is in seconds since 1970."""
        return cls(
            listed["id"],
            listed["content_type"],
            base64.b64decode(listed["body"]),
            listed["verified"],
            listed["traceparent"],
            datetime.fromisoformat(listed["received_at"]).timestamp(),
        )


def text_of(value: object) -> str:
    """Read a property of a message: the SDK gives texts as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class Running(Endpoints):
    """A cloud that is up, and what becomes of messages in it."""

    async def send(
        self, session: aiohttp.ClientSession, payload: bytes, content_type: str, **headers: str
    ) -> str:
        url = f"{self.endpoints['sender']}/api/messages"
        sent = {"Content-Type": content_type} | headers
        async with session.post(url, data=payload, headers=sent) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["id"])

    async def received(self, ids: set[str]) -> dict[str, Received]:
        """Wait until the partner has all of `ids`, and return what it has of them."""
        found: dict[str, Received] = {}
        after = 0

        async def all_of_them() -> bool:
            nonlocal after
            after, page = await self.deliveries(after)
            found.update({one.id: one for one in page})
            return ids <= found.keys()

        await until(all_of_them, lambda: f"{len(ids - found.keys())} did not arrive")
        return {message_id: found[message_id] for message_id in ids}

    async def deliveries(self, after: int = 0) -> tuple[int, list[Received]]:
        """Return what the partner got after its message number `after`, and its last number."""
        url = f"{self.endpoints['partner']}/received?after={after}"
        async with self.session() as session, session.get(url) as answer:
            page = await answer.json(content_type=None)
        return (page[-1]["n"] if page else after), [Received.of(one) for one in page]

    async def ledger(self, path: str) -> tuple[int, Any]:
        """Ask the tracker for `/api/messages` and what follows; return status and content."""
        url = f"{self.endpoints['tracker']}/api/messages{path}"
        async with self.session() as session, session.get(url) as answer:
            return answer.status, await answer.json(content_type=None)

    async def entry(self, message_id: str, state: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the ledger has a message in a state, and return what it has of it."""
        answer: tuple[int, Any] = (0, None)

        async def in_that_state() -> dict[str, Any] | None:
            nonlocal answer
            status, content = answer = await self.ledger(f"/{message_id}")
            return content if status == 200 and content["state"] == state else None

        return await until(in_that_state, lambda: f"{message_id}: {answer}", seconds)

    async def database(self, url: str) -> None:
        """Rotate the database secret."""
        path = f"/secrets/{self.vault('database')}/database-connection"
        await self.control("PUT", path, url)

    async def rejections(self) -> dict[str, list[dict[str, Any]]]:
        """Return the properties, the id and the body of what was rejected, by message id."""
        found: dict[str, list[dict[str, Any]]] = {}
        number = 0
        async with (
            self.bus("operator", "operator") as client,
            client.get_queue_receiver("rejected") as receiver,
        ):
            while page := await receiver.peek_messages(250, sequence_number=number):
                number = (page[-1].sequence_number or 0) + 1
                for message in page:
                    properties = message.application_properties or {}
                    one: dict[str, Any] = {text_of(k): text_of(v) for k, v in properties.items()}
                    is_bytes = message.body_type is AmqpMessageBodyType.DATA
                    one["body"] = b"".join(message.body) if is_bytes else None
                    one["message id"] = message.message_id
                    one["sequence number"] = message.sequence_number
                    ours = MessageId.parse(message.message_id)
                    name = ours.id if ours else message.message_id or ""
                    found.setdefault(name, []).append(one)
        return found

    async def queued(self, queue: str, count: int, seconds: float = 60) -> None:
        """Wait until `queue` has `count` messages to take."""

        async def so_many() -> bool:
            return (await self.counts(queue))["active"] == count

        await until(so_many, lambda: f"{queue} has not {count} messages", seconds)

    async def waiting(self, queue: str, count: int, seconds: float = 60) -> None:
        """Wait until `queue` has `count` messages that are scheduled, and nothing else."""
        found: dict[str, int] = {}

        async def so_many() -> bool:
            found.update(await self.counts(queue))
            return found["scheduled"] == count and not found["active"] and not found["locked"]

        await until(so_many, lambda: f"{queue} has {found}, not {count} scheduled", seconds)

    async def emptied(self, queue: str) -> None:
        """Wait until `queue` has no message, and no receiver has one locked."""

        async def empty() -> bool:
            found = await self.counts(queue)
            return not found["active"] and not found["locked"]

        await until(empty, lambda: f"{queue} does not become empty")

    async def counts(self, queue: str) -> dict[str, int]:
        """Return how many messages a queue has, by their state."""
        found: dict[str, int] = (await self.control("GET", "/status"))["queues"][queue]
        return found

    @asynccontextmanager
    async def another_sender(self, **changes: str) -> AsyncIterator[str]:
        """Run one more process of the sender, with other settings if asked; give its URL."""
        async with self.another("sender", changes) as (url, _):
            yield url

    @asynccontextmanager
    async def another(
        self, app: str, changes: Mapping[str, str], log: str = os.devnull, root: Path = ROOT
    ) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
        """Run one more host of an app, from another folder or with other settings if asked.

        Give its URL and its process, which is stopped in the end as Azure stops one.
        """
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "local.host", "--port", "0", "--root", str(root)),
                *("--keys", str(self.folder / f"app-{app}.key")),
                cwd=ROOT,
                env=await self.environment(app) | dict(changes),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        finally:
            os.close(errors)
        assert process.stdin
        assert process.stdout
        try:
            url = str(json.loads(await process.stdout.readline())["url"])
            self.beside[url] = app
            yield url, process
        finally:
            process.stdin.close()
            await process.wait()

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in (self.folder / "logs").iterdir())


def with_settings(snapshot: str, folder: Path, **settings: Mapping[str, str]) -> Path:
    """Write a snapshot of `infra` with more settings, or others, by app; give where."""
    document = json.loads((ROOT / "infra" / snapshot).read_text())
    for resource in document["predictedResources"]:
        if resource["type"] == "Microsoft.Web/sites":
            config = resource["properties"]["siteConfig"]
            deployed = {one["name"]: one["value"] for one in config["appSettings"]}
            deployed |= settings.get(deployed["RELAY_APP"], {})
            config["appSettings"] = [{"name": name, "value": deployed[name]} for name in deployed]
    path = folder / "changed.snapshot.json"
    path.write_text(json.dumps(document))
    return path


@contextmanager
def running(
    folder: Path, snapshot: str | Path, *options: str, program: str = "local"
) -> Iterator[Running]:
    """Start a cloud from a snapshot, one of `infra` by its name; stop it as Ctrl-C does.

    `program` is the module that takes the commands of `python -m local`.
    """
    path = ROOT / "infra" / snapshot
    where = ["--folder", str(folder), "--snapshot", str(path)]
    # Another cloud of a test, or a user's, may come up while this one is down for a moment.
    command = [sys.executable, "-m", program, "up", "--free-ports", *where, *options]
    output = folder.with_suffix(".output")
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
    try:
        patience = time.monotonic() + _START_SECONDS
        while not (folder / "endpoints.json").exists():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < patience, output.read_text()
            time.sleep(0.05)
        yield Running(folder, json.loads((folder / "endpoints.json").read_text()), path)
    finally:
        process.terminate()
        process.wait(30)
