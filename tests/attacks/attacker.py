"""Somebody who runs code in one app: who has its environment, and any means but the SDKs'."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from local.bus.amqp import performatives as amqp
from local.bus.amqp.message import application_properties, parse
from tests.amqp import Raw
from tests.pipeline.cloud_process import Running
from tests.pipeline.endpoints import APPS

VAULT = "https://vault.azure.net"
BUS = "https://servicebus.azure.net"
AUDIENCE = "sb://relay.servicebus.windows.net"


@dataclass(frozen=True)
class Answer:
    """What an attack got."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Attacker:
    """An app's environment, and what came of using it. `secrets` must show in no answer or log."""

    cloud: Running
    environment: Mapping[str, str]
    session: aiohttp.ClientSession
    answers: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)

    @classmethod
    @asynccontextmanager
    async def inside(cls, cloud: Running, app: str) -> AsyncIterator[Attacker]:
        async with cloud.session() as session:
            found = cls(cloud, await cloud.environment(app), session)
            found.secrets.add((cloud.folder / "control.key").read_text())
            for other in (*cloud.endpoints, "operator"):
                if other in {"sender", "receiver", "tracker", "operator"}:
                    found.secrets.add((await cloud.environment(other))["IDENTITY_HEADER"])
            found.secrets.add((cloud.folder / "partner.key").read_text())
            for app in APPS:
                found.secrets |= {cloud.keys(app).host, cloud.keys(app).master}
            yield found

    async def ask(self, method: str, url: str, **request: Any) -> Answer:
        async with self.session.request(method, url, **request) as answer:
            got = Answer(answer.status, await answer.text())
        self.answers.append(f"{got.text} {answer.headers}")
        return got

    async def ask_for_token(self, header: str | None = None, **query: str) -> Answer:
        own = self.environment["IDENTITY_HEADER"]
        return await self.ask(
            "GET",
            self.environment["IDENTITY_ENDPOINT"],
            params={"api-version": "2019-08-01", "resource": VAULT} | query,
            headers={"X-IDENTITY-HEADER": own if header is None else header},
        )

    async def token(self, identity: str, resource: str = VAULT) -> str:
        """Get a token of an identity of the app, as its own code does."""
        client_id = self.environment[f"RELAY_IDENTITY_{identity.upper()}"]
        token = str(
            (await self.ask_for_token(client_id=client_id, resource=resource)).json["access_token"]
        )
        self.answers.pop()  # the one answer where it belongs
        self.secrets.add(token)
        return token

    async def vault(self, token: str, vault: str = "payload", path: str | None = None) -> Answer:
        """Ask a vault, for the one thing that the sender may have, or else for another."""
        url = self.cloud.endpoints["vaults"][self.cloud.vault(vault)]
        headers = {"Authorization": f"Bearer {token}"}
        if path is not None:
            return await self.ask("GET", f"{url}{path}?api-version=7.6", headers=headers)
        body = {"alg": "RSA-OAEP-256", "value": "AAAA"}
        url += "keys/payload//encrypt?api-version=7.6"
        return await self.ask("POST", url, json=body, headers=headers)

    @asynccontextmanager
    async def bus(self, port: int | None = None, *, tls: bool = True) -> AsyncIterator[Raw]:
        """Connect to the bus, or to a port, with no SDK between."""
        found = port or int(str(self.cloud.endpoints["bus"]).rpartition(":")[2])
        context = self.cloud.tls if tls else None
        raw = Raw(*await asyncio.open_connection("127.0.0.1", found, ssl=context))
        try:
            yield raw
        finally:
            raw.close()

    async def put_token(self, token: str, queue: str = "messages") -> tuple[int, str]:
        """Show the bus a token; return what it answers, and whether a link to `queue` is given."""
        async with self.bus() as raw:
            raw.hello()
            raw.put_token(f"{AUDIENCE}/{queue}", token)
            status = await self.status_of_token(raw)
            return status, await self.attach(raw, queue)

    async def status_of_token(self, raw: Raw) -> int:
        answer = parse(await raw.payload())
        self.answers.append(repr(answer))
        status = application_properties(answer)["status-code"]
        assert isinstance(status, int)
        return status

    async def attach(self, raw: Raw, queue: str, *, receives: bool = False) -> str:
        """Try to get a link; return `attached`, or why not."""
        raw.attach(7, queue, receives=receives)
        while (found := await raw.read()) is not None:
            if isinstance(found, amqp.Attach) and found.handle == 7 and found.source:
                return "attached"
            if isinstance(found, amqp.Detach | amqp.Close) and found.error is not None:
                assert isinstance(found.error.value, list)
                self.answers.append(repr(found.error.value))
                return str(found.error.value[0])
        return "closed"

    async def assert_nothing_showed(self) -> None:
        answers = "\n".join(self.answers)
        logs = self.cloud.logs() + self.cloud.folder.with_suffix(".output").read_text()
        for secret in self.secrets:
            assert secret not in answers
            assert secret not in logs
