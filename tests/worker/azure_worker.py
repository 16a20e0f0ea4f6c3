"""An app's package, and Azure's worker library running it in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage

from checks import package
from local.deployment.deployment import settings_of
from local.deployment.resources import Deployment
from local.host import message_body, trigger_metadata
from local.host.worker.messages import Data

PROCESS = Path(__file__).with_name("process.py")
_LINE = 2**24  # bytes; the largest answer


def packaged(folder: Path) -> Path:
    """Make the package in a folder, as `.funcignore` says."""
    package.copy(folder)
    return folder


def settings_as_deployed(deployment: Deployment, apps: str) -> dict[str, str]:
    """Return the settings of an app as deployed, or of several that are one process."""
    vaults = {one.resource_id: f"https://{one.name}.vault.azure.net/" for one in deployment.vaults}
    found: dict[str, str] = {}
    for spec in deployment.apps:
        if spec.app in apps.split(","):
            found |= settings_of(spec, vaults)
    return {**found, "RELAY_APP": apps}


@dataclass
class Answer:
    """What a call gave: whether it succeeded, an HTTP answer if it gave one, its error."""

    ok: bool
    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Worker:
    """The library with one app loaded; `indexed` is what it found."""

    process: asyncio.subprocess.Process
    indexed: Mapping[str, Any]

    async def call(
        self, function: str, inputs: Mapping[str, Data], metadata: Mapping[str, Data]
    ) -> Answer:
        """Call a function with what the host would send."""
        assert self.process.stdin
        given = {
            "function": function,
            "inputs": {name: _plain(data) for name, data in inputs.items()},
            "metadata": {name: _plain(data) for name, data in metadata.items()},
        }
        self.process.stdin.write(json.dumps(given).encode() + b"\n")
        answer = await _line(self.process)
        http = answer["returned"] or {"status": 0, "headers": {}, "body": ""}
        decoded = base64.b64decode(http["body"])
        return Answer(answer["ok"], http["status"], http["headers"], decoded, answer["error"])

    async def http(
        self,
        function: str,
        method: str = "GET",
        body: bytes = b"",
        params: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Call a function of an HTTP trigger; see `ToRpcHttp` in azure-functions-host."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body:
            named["content-length"] = str(len(body))
        request = {
            "method": method,
            "url": f"http://localhost/api/{function}",
            "headers": named,
            "params": params or {},
            "query": query or {},
            "body": ("bytes", body),
        }
        answer = await self.call(function, {"req": ("http", request)}, {})
        assert answer.ok, answer.error
        return answer

    async def receive(self, received: ServiceBusReceivedMessage) -> Answer:
        """Call `receive` for one message, as its trigger says: bytes."""
        given = message_body.one(received, message_body.DataType.BINARY)
        return await self.call("receive", {"message": given}, trigger_metadata.of_one(received))

    async def triage(self, received: ServiceBusReceivedMessage) -> Answer:
        """Call `triage` for one dead letter, likewise."""
        given = message_body.one(received, message_body.DataType.BINARY)
        return await self.call("triage", {"letter": given}, trigger_metadata.of_one(received))

    async def record(self, *received: ServiceBusReceivedMessage) -> Answer:
        """Call `record` for a batch, as its trigger says: bytes."""
        given = message_body.many(received, message_body.DataType.BINARY)
        return await self.call("record", {"receipts": given}, trigger_metadata.of_many(received))


@asynccontextmanager
async def running(
    folder: Path, environment: Mapping[str, str], log: Path, alone: Path | None = None
) -> AsyncIterator[Worker]:
    """Run an app from its folder.

    `alone`: with its own dependencies and the library in that folder, and nothing of this
    environment.
    """
    # Without the folder of the program on the path, and when alone without any site-packages.
    flags = ("-P", "-S") if alone else ("-P",)
    path = {"PYTHONPATH": str(alone)} if alone else {}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *flags, str(PROCESS), str(folder)),
            env={**environment, **path},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            limit=_LINE,
        )
    try:
        yield Worker(process, await _line(process))
    finally:
        process.kill()
        await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), 120)
    assert line, "the process has ended"
    return json.loads(line)


def _plain(data: Data) -> list[Any]:
    kind, value = data
    if kind == "bytes":
        return [kind, base64.b64encode(value).decode()]
    if kind == "collection_bytes":
        return [kind, [base64.b64encode(one).decode() for one in value]]
    if kind == "http":
        return [kind, {**value, "body": _plain(value["body"])}]
    return [kind, value]
