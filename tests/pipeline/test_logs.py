"""Nothing secret is in any log, not even at debug level."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage

from shared.message.envelope import DataKey, SealedMessage, WrappedKey, seal
from shared.message.protected_header import MessageHeader
from tests.pipeline.cloud_process import SNAPSHOT, Running, running

PLANTED = "planted-payload-Zq3xW9"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("logs") / "folder"
    with running(folder, SNAPSHOT, "--log-level", "debug") as up:
        yield up


def spellings(secret: bytes) -> set[str]:
    """The forms in which a value could be in a log."""
    encoded = base64.b64encode(secret).rstrip(b"=").decode()
    return {
        secret.decode("latin-1"),
        repr(secret)[2:-1],
        secret.hex(),
        encoded,
        encoded.replace("+", "-").replace("/", "_"),
    }


async def secrets_of(cloud: Running) -> list[tuple[str, bytes]]:
    """What must not be seen: payload, partner's secret, database secret, tokens, keys."""
    known = {"payload": PLANTED.encode(), "control": (cloud.folder / "control.key").read_bytes()}
    for app, identity in [("receiver", "partner"), ("sender", "encrypt"), ("tracker", "database")]:
        known[f"header of {app}"] = (await cloud.environment(app))["IDENTITY_HEADER"].encode()
        async with await cloud.credential(app, identity) as credential:
            token = await credential.get_token("https://vault.azure.net/.default")
            # The signature differs each time; header and claims do not show a right to anything.
            known[f"token of {identity}"] = token.token.encode()
    values = [item for vault in (cloud.folder / "vaults").iterdir() for item in vault_values(vault)]
    assert len(values) > 30, "the vaults were read"
    return [*known.items(), *values]


def vault_values(vault: Path) -> Iterator[tuple[str, bytes]]:
    """What a vault keeps: the lines of its private keys, the values of its secrets and theirs."""
    for path in vault.glob("*.pem"):
        for line in path.read_bytes().splitlines()[1:-1]:
            yield f"private key {path.name}", line
    secrets = json.loads((vault / "versions.json").read_text())["secrets"]
    for name, secret in secrets.items():
        for version in secret["versions"]:
            value = version["value"]
            yield f"secret {name}", value.encode()
            if value.startswith("{"):
                yield from (
                    (f"in {name}", s.encode()) for s in json.loads(value).get("secrets", [])
                )


async def test_no_log_has_a_payload_a_secret_a_token_or_a_key(cloud: Running) -> None:
    async with cloud.session() as session:
        ids = {
            await cloud.send(session, f"{PLANTED} {n}".encode(), "text/plain") for n in range(20)
        }
        url = f"{cloud.endpoints['sender']}/api/messages"
        async with session.post(url, data=PLANTED, headers={"Content-Type": PLANTED}) as answer:
            assert answer.status == 400
    await cloud.received(ids)
    token = await garbage(cloud)
    logs = cloud.logs() + cloud.folder.with_suffix(".output").read_text()
    for message_id in ids:
        assert message_id in logs, "the logs name each message, by its id"
    assert "DEBUG" in logs, "the logs are at debug level"
    found = [
        name
        for name, value in await secrets_of(cloud)
        for spelling in spellings(value)
        if spelling in logs
    ]
    assert found == []
    assert not any(part in logs for part in token.split(".") if len(part) > 16)
    assert "eyJ" not in logs, "no token of any kind, by how all of them begin"


async def garbage(cloud: Running) -> str:
    """Put messages on the queue that cannot be opened, and wait until they are dead letters."""
    key_url = (await cloud.environment("sender"))["RELAY_KEY_PAYLOAD"]
    wrapped = WrappedKey(f"{key_url}/{'0' * 32}", DataKey.generate().secret)
    token = seal(
        PLANTED.encode(), MessageHeader("foreign", "a/b"), DataKey.generate(), wrapped
    ).decode()
    assert SealedMessage.from_token(token)
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(PLANTED, message_id="garbage"))
        await sender.send_messages(ServiceBusMessage(token, message_id="foreign"))
    await cloud.queued("rejected", 2)
    return token
