"""What the local cloud decides is on record, and a refusal in an app's log is found there."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import Any

import pytest
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from local.cli.main import main
from tests.pipeline.cloud_process import Running

GARBAGE = {"alg": "RSA-OAEP-256", "value": "AAAA"}
FORGED = "eyJhbGciOiJub25lIn0.e30."
REQUEST = re.compile(r", request ([0-9a-f-]{36})")


async def record(cloud: Running) -> list[dict[str, Any]]:
    page = await cloud.control("GET", "/decisions")
    assert page["dropped"] == 0
    found: list[dict[str, Any]] = page["decisions"]
    return found


async def since(cloud: Running, number: int) -> list[dict[str, Any]]:
    return [one for one in await record(cloud) if one["n"] > number]


async def last(cloud: Running) -> int:
    return int((await cloud.control("GET", "/decisions?limit=0"))["last"])


@dataclass
class Shown:
    """What the command answers."""

    code: int
    output: str
    error: str


class Command:
    """`python -m local decisions`, in this process: there are many, and starting takes long."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, cloud: Running, *options: str) -> Shown:
        self._capsys.readouterr()
        code = main(["decisions", "--folder", str(cloud.folder), *options])
        captured = self._capsys.readouterr()
        return Shown(code, captured.out, captured.err)


@pytest.fixture
def decisions(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


async def test_a_message_leaves_its_decisions_and_its_uses(each_cloud: Running) -> None:
    before = await last(each_cloud)
    async with each_cloud.session() as session:
        sent = await each_cloud.send(session, b"the payload itself", "text/plain")
        await each_cloud.received({sent})
    found = {
        (one["app"], one["identity"], one["action"].rpartition("/")[0] or "token", one["object"])
        for one in await since(each_cloud, before)
        if one["allowed"]
    }
    vault, bus = "Microsoft.KeyVault/vaults", "Microsoft.ServiceBus/namespaces/messages"
    assert found >= {
        ("sender", "encrypt", "token", "identity encrypt"),
        ("sender", "encrypt", f"{vault}/keys/encrypt", "key payload"),
        ("sender", "sender_bus", f"{bus}/send", "queue messages"),
        ("receiver", "decrypt", f"{vault}/keys/decrypt", "key payload"),
        ("receiver", "partner", f"{vault}/secrets/getSecret", "secret partner-connection"),
    }
    used = {
        (one["identity"], one["operation"], one["kind"], one["object"]): one["apps"]
        for one in await each_cloud.control("GET", "/grants/used")
    }
    assert used["encrypt", "encrypt", "key", "payload"] == {"sender": 1}
    assert used["decrypt", "decrypt", "key", "payload"] == {"receiver": 1}
    assert used["partner", "get", "secret", "partner-connection"] == {"receiver": 1}
    assert used["sender_bus", "send", "queue", "messages"] == {"sender": 1}
    assert used["receiver_bus", "receive", "queue", "messages"] == {"receiver": 1}
    # A link that is attached and carries nothing does not use a right.
    assert ("tracker_bus", "receive", "queue", "rejected") not in used


async def refused_in_log(cloud: Running, app: str) -> str:
    """Send messages until the app's log names a request that was refused; return which."""
    log = cloud.folder / "logs" / f"{app}.log"
    url = f"{cloud.endpoints['sender']}/api/messages"
    patience = time.monotonic() + 60
    while not (found := REQUEST.search(log.read_text())):
        assert time.monotonic() < patience, log.read_text()
        async with cloud.session() as session, session.post(url, data=b"waits") as answer:
            assert answer.status in (202, 503)
        await asyncio.sleep(0.3)
    return found[1]


@pytest.mark.parametrize(
    ("app", "identity", "thing"),
    [("sender", "sender_bus", "queue messages"), ("receiver", "decrypt", "key payload")],
)
async def test_a_refusal_in_the_apps_log_is_found_by_its_request(
    each_cloud: Running, decisions: Command, app: str, identity: str, thing: str
) -> None:
    """By the vault and by the bus: the record knows the request that the log names."""
    if app == "receiver":
        # Without the data key that it has opened already, it has to ask the vault.
        await each_cloud.control("POST", "/apps/receiver/restart")
    await each_cloud.control("PUT", f"/grants/{identity}/off")
    try:
        request = await refused_in_log(each_cloud, app)
    finally:
        await each_cloud.control("PUT", f"/grants/{identity}/on")
    (found,) = [one for one in await record(each_cloud) if one["request"] == request]
    assert (found["app"], found["identity"], found["allowed"]) == (app, identity, False)
    assert (found["object"], found["because"]) == (
        thing,
        "needs its grants, which are suspended",
    )
    shown = decisions(each_cloud, "--request", request.upper(), "--json")
    assert json.loads(shown.output) == found


async def refused_decryption(cloud: Running) -> AsyncHttpResponse:
    """Ask, as the sender, for what only the receiver may."""
    async with cloud.payload_key("sender", "encrypt") as client:
        request = HttpRequest("POST", "keys/payload//decrypt", json=GARBAGE)
        response: AsyncHttpResponse = await client.send_request(request)
        return response


async def test_the_command_shows_what_is_asked_for(each_cloud: Running, decisions: Command) -> None:
    await refused_decryption(each_cloud)
    everything = decisions(each_cloud).output.splitlines()
    refused = decisions(each_cloud, "--refused").output.splitlines()
    assert refused == [line for line in everything if "REFUSED" in line] != []
    unknown = decisions(each_cloud, "--request", "0" * 32)
    assert (unknown.code, unknown.output) == (1, "")
    assert "no such decision is in the audit log" in unknown.error


async def test_refusals_name_what_would_have_allowed_them(each_cloud: Running) -> None:
    before = await last(each_cloud)
    url = each_cloud.endpoints["vaults"][each_cloud.vault("payload")]
    refused = await refused_decryption(each_cloud)
    async with each_cloud.session() as session:
        forged = {"Authorization": f"Bearer {FORGED}"}
        async with session.get(f"{url}keys/payload?api-version=7.4", headers=forged) as answer:
            disbelieved = answer.headers["x-ms-request-id"]
    found = {one["request"]: one for one in await since(each_cloud, before)}
    by_policy = "policies" in each_cloud.snapshot.name
    denied = found[refused.headers["x-ms-request-id"]]
    assert (denied["app"], denied["identity"], denied["object"]) == (
        *("sender", "encrypt"),
        "key payload",
    )
    assert denied["because"] == (
        f"needs access policy keys/decrypt in vault {each_cloud.vault('payload')}"
        if by_policy
        else "needs a role permitting Microsoft.KeyVault/vaults/keys/decrypt/action at key payload"
    )
    assert (found[disbelieved]["identity"], found[disbelieved]["principal"]) == (None, None)
    assert found[disbelieved]["because"].startswith("needs a valid token (")


async def test_the_bus_names_its_refusals(each_cloud: Running, decisions: Command) -> None:
    async with each_cloud.bus("tracker", "tracker_bus") as client:
        with pytest.raises(ServiceBusAuthorizationError) as caught:
            async with client.get_queue_sender("messages"):
                pass
    tracking = re.search(r"TrackingId:([0-9a-f]{32}_G0)", str(caught.value))
    assert tracking
    shown = decisions(each_cloud, "--request", tracking[1])
    assert {"REFUSED", "tracker", "tracker_bus"} <= set(shown.output.split())
    needs = "needs a role permitting Microsoft.ServiceBus/namespaces/messages/send/action"
    assert f"{needs} at queue messages" in " ".join(shown.output.split())


async def test_the_identity_endpoint_names_its_refusals(each_cloud: Running) -> None:
    before = await last(each_cloud)
    decrypt = (await each_cloud.environment("receiver"))["RELAY_IDENTITY_DECRYPT"]
    environment = await each_cloud.environment("sender")
    query = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}
    async with each_cloud.session() as session:
        for client_id in (decrypt, "made up by the client"):
            asked = query | {"client_id": client_id}
            url = environment["IDENTITY_ENDPOINT"]
            async with session.get(url, params=asked, headers=headers) as answer:
                correlation = (await answer.json())["correlationId"]
    first, second = await since(each_cloud, before)
    assert (first["app"], first["allowed"]) == ("sender", False)
    assert first["because"] == "needs identity decrypt attached to sender"
    assert (second["object"], second["request"]) == (
        "identity (not in the deployment)",
        correlation,
    )
    assert "made up" not in json.dumps(second)
