"""A local cloud in a process of its own, as `python -m local up` starts it for anybody."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys.aio import KeyClient
from azure.servicebus import TransportType
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpMessageBodyType
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local.host.keys import AppKeys
from shared.message.message_id import MessageId

ROOT = Path(__file__).resolve().parents[2]
# `make test-all` runs the tests of the usual deployment on another one, too.
APPS = ("sender", "receiver", "tracker")
SNAPSHOT = os.environ.get("SNAPSHOT", "local.snapshot.json")
POLICIES_SNAPSHOT = "local-policies.snapshot.json"
_START_SECONDS = 90
_ARRIVE_SECONDS = 60


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
class Running:
    """A cloud that is up, seen from outside: its folder and its endpoints."""

    folder: Path
    endpoints: Mapping[str, Any]
    snapshot: Path
    beside: dict[str, str] = field(default_factory=dict)  # more processes of an app, by their URL

    @property
    def ca(self) -> str:
        return str(self.endpoints["ca"])

    @property
    def authorities(self) -> bytes:
        return Path(self.ca).read_bytes()

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def session(self, **options: Any) -> aiohttp.ClientSession:
        """Give a session that sends the key that each app, and the partner, asks for."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.tls, limit=50),
            middlewares=[self._with_key],
            **options,
        )

    def keys(self, app: str) -> AppKeys:
        """Return the access keys of an app."""
        return AppKeys.read(self.folder / f"app-{app}.key")

    async def _with_key(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        origin = str(request.url.origin())
        apps = {url: app for app, url in self.endpoints.items() if app in APPS} | self.beside
        if app := apps.get(origin):
            keys = self.keys(app)
            key = keys.master if request.url.path == "/api/access" else keys.host
            request.headers.setdefault("x-functions-key", key)
        elif origin == self.endpoints["partner"] and request.method == "GET":
            key = (self.folder / "partner.key").read_text()
            request.headers.setdefault("Authorization", f"Bearer {key}")
        return await send(request)

    async def control(self, method: str, path: str, body: str | None = None) -> Any:
        key = (self.folder / "control.key").read_text()
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{self.endpoints['control']}{path}"
        async with (
            self.session() as session,
            session.request(method, url, headers=headers, data=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def fault(self, **fault: object) -> int:
        """Make something go wrong, as `POST /faults` of the control endpoint describes it."""
        return int((await self.control("POST", "/faults", json.dumps(fault)))["fault"])

    async def heal(self) -> None:
        await self.control("DELETE", "/faults")

    async def deploy(self, snapshot: Mapping[str, Any]) -> None:
        """Let another deployment take effect."""
        await self.control("PUT", "/deployment", json.dumps(snapshot))

    async def environment(self, app: str) -> dict[str, str]:
        """Return what makes any program that app, or that operator."""
        operators = json.loads(self.snapshot.read_text())["outputs"]["operators"]
        kind = "operators" if app in operators else "apps"
        found: dict[str, str] = await self.control("GET", f"/{kind}/{app}/environment")
        return found

    async def credential(self, app: str, identity: str) -> ManagedIdentityCredential:
        """Return the credential that code in `app` would make for one of its identities.

        An operator has but one, which needs no name.
        """
        environment = await self.environment(app)
        names = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")
        os.environ.update({name: environment[name] for name in names})
        try:
            return ManagedIdentityCredential(
                client_id=environment.get(f"RELAY_ACCESS_IDENTITY_{identity.upper()}")
            )
        finally:
            for name in names:
                del os.environ[name]

    @asynccontextmanager
    async def payload_key(self, app: str, identity: str) -> AsyncIterator[KeyClient]:
        """Give the client of the payload key that code under one of an app's identities makes."""
        async with (
            await self.credential(app, identity) as credential,
            KeyClient(
                self.endpoints["vaults"][self.vault("payload")],
                credential,
                verify_challenge_resource=False,
                connection_verify=self.ca,
            ) as client,
        ):
            yield client

    @asynccontextmanager
    async def bus(self, app: str, identity: str) -> AsyncIterator[ServiceBusClient]:
        """Give the client that code in `app` would make for one of its identities."""
        environment = await self.environment(app)
        async with (
            await self.credential(app, identity) as credential,
            ServiceBusClient(
                environment["RELAY_BUS__fullyQualifiedNamespace"],
                credential,
                custom_endpoint_address=environment["RELAY_BUS_ENDPOINT"],
                connection_verify=self.ca,
                transport_type=TransportType.Amqp,
                retry_total=0,
            ) as client,
        ):
            yield client

    async def versions(self, key: str) -> list[str]:
        """Return the versions of a key, oldest first."""
        keys = (await self.control("GET", "/status"))["keys"]
        (versions,) = (v for path, v in keys.items() if path.endswith(f"/{key}"))
        return list(versions)

    def vault(self, name: str) -> str:
        """Return the deployed name of a vault that access.json calls `name`."""
        (deployed,) = (v for v in self.endpoints["vaults"] if v.startswith(f"{name}-"))
        return str(deployed)

    def private_key(self, version: str) -> rsa.RSAPrivateKey:
        """Return a version of the payload key from the vault's folder."""
        (path,) = (self.folder / "vaults").glob(f"*/{version}.pem")
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

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
        after, patience = 0, time.monotonic() + _ARRIVE_SECONDS
        while not ids <= found.keys():
            assert time.monotonic() < patience, f"{len(ids - found.keys())} did not arrive"
            after, page = await self.deliveries(after)
            found |= {one.id: one for one in page}
            await asyncio.sleep(0.05)
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

    async def entry(
        self, message_id: str, state: str, seconds: float = _ARRIVE_SECONDS
    ) -> dict[str, Any]:
        """Wait until the ledger has a message in a state, and return what it tells of it."""
        patience = time.monotonic() + seconds
        while True:
            status, content = await self.ledger(f"/{message_id}")
            if status == 200 and content["state"] == state:
                return dict(content)
            assert time.monotonic() < patience, f"{message_id}: {status} {content}"
            await asyncio.sleep(0.05)

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
                    octets = message.body_type is AmqpMessageBodyType.DATA
                    one["body"] = b"".join(message.body) if octets else None
                    one["message id"] = message.message_id
                    one["sequence number"] = message.sequence_number
                    ours = MessageId.parse(message.message_id)
                    name = ours.id if ours else message.message_id or ""
                    found.setdefault(name, []).append(one)
        return found

    async def queued(self, queue: str, count: int, seconds: float = _ARRIVE_SECONDS) -> None:
        """Wait until `queue` has `count` messages to take."""
        patience = time.monotonic() + seconds
        while (found := (await self.counts(queue))["active"]) != count:
            assert time.monotonic() < patience, f"{queue} has {found} messages, not {count}"
            await asyncio.sleep(0.05)

    async def emptied(self, queue: str) -> None:
        """Wait until `queue` has no message, and no receiver has one in hand."""
        async with asyncio.timeout(_ARRIVE_SECONDS):
            while (found := await self.counts(queue))["active"] or found["locked"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def counts(self, queue: str) -> dict[str, int]:
        """Tell how many messages a queue has, by their state."""
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
    """Write a snapshot of `infra` with more settings, by app; give where."""
    document = json.loads((ROOT / "infra" / snapshot).read_text())
    for resource in document["predictedResources"]:
        if resource["type"] == "Microsoft.Web/sites":
            deployed = resource["properties"]["siteConfig"]["appSettings"]
            (app,) = (one["value"] for one in deployed if one["name"] == "RELAY_APP")
            more = settings.get(app, {})
            deployed += [{"name": name, "value": value} for name, value in more.items()]
    path = folder / "changed.snapshot.json"
    path.write_text(json.dumps(document))
    return path


@contextmanager
def running(folder: Path, snapshot: str | Path, *options: str) -> Iterator[Running]:
    """Start a cloud from a snapshot, one of `infra` by its name; stop it as Ctrl-C does."""
    path = ROOT / "infra" / snapshot
    where = ["--folder", str(folder), "--snapshot", str(path)]
    # Another cloud of a test, or a user's, may come up while this one is down for a moment.
    command = [sys.executable, "-m", "local", "up", "--free-ports", *where, *options]
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
