"""What an open page is sent, over a cloud whose services are values."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.authorization import Authorization
from local.authorization.grants import principals
from local.authorization.names import Names
from local.bus.broker.entity import Counts
from local.deployment.deployment import load
from local.faults.faults import Fault, Faults
from local.page.app_calls import AppCalls
from local.page.feed import Feed
from local.runtime.cloud import Cloud
from local.runtime.events import CloudEvents, PartnerAnswered
from tests.pipeline.cloud_process import ROOT, SNAPSHOT

DEPLOYMENT = load(ROOT / "infra" / SNAPSHOT)
EMPTY = Counts(active=0, scheduled=0, deferred=0, locked=0, dead_lettered=0)
DECRYPT = "Microsoft.KeyVault/vaults/keys/decrypt/action"
KEY = next(
    key.resource_id for vault in DEPLOYMENT.vaults for key in vault.keys if key.name == "payload"
)


class Ledger:
    """Stands for the tracker."""

    content: dict[str, object] = {"states": {}, "messages": []}  # noqa: RUF012 - replaced, never changed

    async def ledger(self) -> dict[str, object]:
        return self.content


class Reader:
    """A page; while `open` is not set, it reads nothing."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.frames: list[bytes] = []

    async def write(self, data: bytes, /) -> None:
        await self.open.wait()
        self.frames.append(data)

    def events(self, name: str) -> list[Any]:
        texts = b"".join(self.frames).decode().split("\n\n")
        start = f"event: {name}\ndata: "
        return [json.loads(one.removeprefix(start)) for one in texts if one.startswith(start)]


def quiet_cloud() -> Any:
    events = CloudEvents()
    queues = [queue.name for namespace in DEPLOYMENT.namespaces for queue in namespace.queues]
    counts = dict.fromkeys(queues, EMPTY)
    bus = SimpleNamespace(state=counts.copy, newest=lambda *_: [])
    return SimpleNamespace(
        deployment=DEPLOYMENT,
        context=SimpleNamespace(
            events=events,
            audit_log=AuditLog(Names(DEPLOYMENT), on_record=events.publish),
            authorization=Authorization(DEPLOYMENT),
            faults=Faults(),
        ),
        apps={"sender": SimpleNamespace(state="up")},
        vaults={},
        bus=SimpleNamespace(server=bus),
        partner=SimpleNamespace(received=0),
        partner_kind="webhook",
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


@pytest.fixture
def cloud() -> Any:
    return quiet_cloud()


async def test_a_page_gets_what_there_is_and_then_what_changes(cloud: Any) -> None:
    reader, closing = Reader(), asyncio.Event()
    feed = Feed(cast("Cloud", cloud), cast("AppCalls", Ledger()), closing)
    sending = asyncio.create_task(feed.send_to(reader))
    await until(lambda: reader.events("ledger"))
    for name in ("decisions", "picture", "state", "rejected", "ledger"):
        assert len(reader.events(name)) == 1, name
    cloud.context.faults.set(Fault("partner", "status", 503))
    cloud.context.authorization.suspend(principals(DEPLOYMENT)["decrypt"])
    await until(lambda: reader.events("state")[-1]["suspended"] == ["decrypt"])
    closing.set()
    await sending
    assert not cloud.context.events.is_watched


async def test_a_refusal_reaches_the_page_with_what_would_have_allowed_it(cloud: Any) -> None:
    reader, closing = Reader(), asyncio.Event()
    feed = Feed(cast("Cloud", cloud), cast("AppCalls", Ledger()), closing)
    sending = asyncio.create_task(feed.send_to(reader))
    await until(lambda: cloud.context.events.is_watched)
    context, encrypt = cloud.context, principals(DEPLOYMENT)["encrypt"]
    decision = context.authorization.decide(encrypt, DECRYPT, KEY)
    context.audit_log.decided("vault", decision, Requester(encrypt, None))
    await until(lambda: reader.events("activity"))
    (access,) = reader.events("activity")[0]["accesses"]
    assert (access["identity"], access["operation"], access["allowed"]) == (
        "encrypt",
        "decrypt",
        False,
    )
    assert access["because"].startswith("needs a role permitting Microsoft.KeyVault")
    closing.set()
    await sending


async def test_a_page_sees_what_was_decided_before_it_was_opened(cloud: Any) -> None:
    context, decrypt = cloud.context, principals(DEPLOYMENT)["decrypt"]
    decision = context.authorization.decide(decrypt, DECRYPT, KEY)
    context.audit_log.decided("vault", decision, Requester(decrypt, None))
    context.audit_log.decided("vault", decision, Requester(decrypt, None, probe=True))
    reader, closing = Reader(), asyncio.Event()
    feed = Feed(cast("Cloud", cloud), cast("AppCalls", Ledger()), closing)
    sending = asyncio.create_task(feed.send_to(reader))
    await until(lambda: reader.events("decisions"))
    ((access,),) = reader.events("decisions")
    assert (access["identity"], access["count"]) == ("decrypt", 1)
    closing.set()
    await sending


async def test_a_page_that_does_not_read_costs_the_cloud_neither_time_nor_memory(
    cloud: Any,
) -> None:
    reader, closing = Reader(), asyncio.Event()
    reader.open.clear()
    feed = Feed(cast("Cloud", cloud), cast("AppCalls", Ledger()), closing)
    sending = asyncio.create_task(feed.send_to(reader))
    await until(lambda: cloud.context.events.is_watched)
    # Nothing here waits for the reader: all are published while it reads nothing.
    for number in range(50_000):
        cloud.context.events.publish(PartnerAnswered(f"m-{number}", accepted=True, status=204))
    assert not reader.frames
    reader.open.set()
    await until(lambda: reader.events("activity"))
    (answer,) = reader.events("activity")[0]["partner"]
    assert answer["count"] == 50_000
    assert len(b"".join(reader.frames)) < 64 * 1024
    closing.set()
    await sending


async def test_a_page_that_goes_away_is_forgotten(cloud: Any) -> None:
    class Gone(Reader):
        async def write(self, data: bytes, /) -> None:
            raise ConnectionResetError

    feed = Feed(cast("Cloud", cloud), cast("AppCalls", Ledger()), asyncio.Event())
    with pytest.raises(ConnectionResetError):
        await feed.send_to(Gone())
    assert not cloud.context.events.is_watched
