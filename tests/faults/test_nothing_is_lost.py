"""The guarantee: what was answered 202 is at the partner, or among the rejected with its reason.

And the ledger says which of the two, of every message.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.databases import AWAY
from tests.faults.stream import MARKS, Arrivals, Promise, Stream
from tests.pipeline.running import SNAPSHOT, Received, Running, running, with_settings

MESSAGES = 5000
MIXED = 15  # times that two faults, drawn at random, happen at once
WORKERS = 32
SETTINGS = {
    "sender": {
        "RELAY_DATA_KEY_SECONDS": "3",
        "RELAY_DATA_KEY_MESSAGES": "200",
        "RELAY_DATABASE_SECRET_SECONDS": "1",
    },
    "receiver": {
        "RELAY_RETRY_SCHEDULE": ",".join(["1s"] * 120),
        "RELAY_WAIT_SECONDS": "1",
        "RELAY_OPENED_KEYS_SECONDS": "3",
        "RELAY_PARTNER_TIMEOUT_SECONDS": "2",
    },
    "tracker": {"RELAY_DATABASE_SECRET_SECONDS": "1", "RELAY_RECEIPT_WAIT_SECONDS": "1"},
}
REASONS = {"fault=400": "partner-refused", "fault=redirect": "partner-refused"}
DRAIN_SECONDS = 300


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "folder", with_settings(SNAPSHOT, tmp_path, **SETTINGS)) as up:
        yield up


@dataclass
class Trouble:
    """What can be made to happen; each lasts a few seconds and is then mended.

    `breaks` keeps when a process was killed or a connection was cut: only that can explain that
    the partner gets a message twice.
    """

    cloud: Running
    chance: random.Random
    breaks: list[float] = field(default_factory=list)

    def gentle(self) -> list[Callable[[], Awaitable[None]]]:
        """Faults that must not even cause a repeat."""
        return [
            self.vault_throttles,
            self.vault_fails,
            self.vault_does_not_answer,
            self.grant_is_gone,
            self.key_is_rotated,
            self.database_is_away,
            self.tracker_is_killed,
            self.partner_fails,
            self.partner_throttles,
        ]

    def harsh(self) -> list[Callable[[], Awaitable[None]]]:
        """Faults after which nobody can know whether the last step was done."""
        return [
            self.receiver_is_killed,
            self.sender_is_killed,
            self.bus_is_restarted,
            self.connections_are_cut,
            self.partner_hangs,
            self.partner_closes,
        ]

    async def vault_throttles(self) -> None:
        async with self.fault(at="vault", answer="status", status=429, retry_after="1"):
            await self.pause()

    async def vault_fails(self) -> None:
        async with self.fault(at="vault", answer="status", status=500):
            await self.pause()

    async def vault_does_not_answer(self) -> None:
        async with self.fault(at="vault", answer="hang"):
            await self.pause()

    async def grant_is_gone(self) -> None:
        await self.cloud.control("PUT", "/grants/decrypt/off")
        await self.pause(6)  # longer than opened keys are kept
        await self.cloud.control("PUT", "/grants/decrypt/on")

    async def key_is_rotated(self) -> None:
        await self.cloud.control("POST", f"/keys/{self.cloud.vault('payload')}/payload/rotate")
        await self.pause()

    async def database_is_away(self) -> None:
        await self.cloud.database(AWAY)
        await self.pause()
        await self.cloud.database(f"sqlite+aiosqlite:///{self.cloud.folder / 'database.sqlite3'}")

    async def tracker_is_killed(self) -> None:
        # Nobody but the tracker can tell: no message of the pipeline passes it.
        await self.cloud.control("POST", "/apps/tracker/kill")
        await self.pause(1)
        await self.cloud.control("POST", "/apps/tracker/start")

    async def partner_fails(self) -> None:
        async with self.fault(at="partner", answer="status", status=500):
            await self.pause()

    async def partner_throttles(self) -> None:
        async with self.fault(at="partner", answer="status", status=429, retry_after="2"):
            await self.pause()

    async def partner_hangs(self) -> None:
        async with self.fault(at="partner", answer="hang", taken=True, probability=0.5):
            self.breaks.append(time.time())
            await self.pause()
        self.breaks.append(time.time())

    async def partner_closes(self) -> None:
        async with self.fault(at="partner", answer="close", taken=True, probability=0.5):
            self.breaks.append(time.time())
            await self.pause()
        self.breaks.append(time.time())

    async def receiver_is_killed(self) -> None:
        await self._kill("receiver")

    async def sender_is_killed(self) -> None:
        await self._kill("sender")

    async def bus_is_restarted(self) -> None:
        self.breaks.append(time.time())
        await self.cloud.control("POST", "/bus/stop")
        await self.pause(1)
        await self.cloud.control("POST", "/bus/start")
        self.breaks.append(time.time())

    async def connections_are_cut(self) -> None:
        for _ in range(5):
            self.breaks.append(time.time())
            await self.cloud.control("POST", self.chance.choice(["/bus/drop", "/bus/cut"]))
            await self.pause(0.5)

    async def _kill(self, app: str) -> None:
        self.breaks.append(time.time())
        await self.cloud.control("POST", f"/apps/{app}/kill")
        await self.pause(1)
        await self.cloud.control("POST", f"/apps/{app}/start")

    async def pause(self, seconds: float | None = None) -> None:
        await asyncio.sleep(seconds or self.chance.uniform(2, 4))

    @asynccontextmanager
    async def fault(self, **fault: object) -> AsyncIterator[None]:
        number = await self.cloud.fault(**fault)
        yield
        await self.cloud.control("DELETE", f"/faults/{number}")


async def test_nothing_is_lost(cloud: Running, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nseed {seed}; run it again with: make test-all SEED={seed}")
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    for mark, answer in MARKS.items():
        status = {"status": 400} if answer == "status" else {}
        await cloud.fault(at="partner", answer=answer, content_type=mark, **status)
    await tokens_live(cloud, 10)
    stream, trouble = Stream(cloud, chance), Trouble(cloud, chance)
    arrivals = Arrivals(cloud)
    watching = asyncio.create_task(arrivals.watch())
    async with asyncio.TaskGroup() as group:
        group.create_task(stream.run(WORKERS))
        for happen in trouble.gentle() + trouble.harsh():
            await happen()
        mixed = 0
        while mixed < MIXED or len(stream.promises) < MESSAGES:
            first, second = chance.sample(trouble.gentle() + trouble.harsh(), 2)
            await asyncio.gather(first(), second())
            mixed += 1
        stream.stop()
    await drained(cloud)
    watching.cancel()
    await arrivals.read()
    rejected = await cloud.rejections()
    promises = {promise.id: promise for promise in stream.promises}
    account = Account(promises, arrivals.by_id, rejected, await ledger(cloud), trouble.breaks)
    with capsys.disabled():
        print(f"{account}\n{stream.refusals} tries were answered 503 or not at all, and repeated")
    account.check()


async def tokens_live(cloud: Running, seconds: int) -> None:
    """Let tokens expire all the time from now on; the apps begin anew, without their long ones."""
    await cloud.control("PUT", "/tokens/lifetime", json.dumps({"seconds": seconds}))
    for app in ("sender", "receiver"):
        await cloud.control("POST", f"/apps/{app}/restart")


async def drained(cloud: Running) -> None:
    """Wait until nothing is on its way any more."""
    patience = time.monotonic() + DRAIN_SECONDS
    while True:
        queues = (await cloud.control("GET", "/status"))["queues"]
        under_way = {
            f"{name} {state}": count
            for name in ("messages", "retries", "receipts", "dead-letters")
            for state, count in queues[name].items()
            if count
        }
        if not under_way:
            return
        assert time.monotonic() < patience, f"still under way: {under_way}"
        await asyncio.sleep(1)


async def ledger(cloud: Running) -> dict[str, str]:
    """Read all of the ledger, page by page; give the state of each message."""
    states: dict[str, str] = {}
    path = "/api/messages?limit=200"
    while path:
        status, page = await cloud.ledger(path.removeprefix("/api/messages"))
        assert status == 200, page
        states |= {entry["id"]: entry["state"] for entry in page["messages"]}
        path = page["next"]
    return states


@dataclass
class Account:
    """Where each promised message is in the end."""

    promises: dict[str, Promise]
    delivered: dict[str, list[Received]]
    rejected: dict[str, list[dict[str, Any]]]
    ledger: dict[str, str]
    breaks: list[float]

    def check(self) -> None:
        assert len(self.promises) >= MESSAGES
        for promise in self.promises.values():
            if promise.mark:
                reasons = {one["relay-reason"] for one in self.rejected[promise.id]}
                assert reasons == {REASONS[promise.mark]}
                assert promise.id not in self.delivered
                continue
            assert promise.id in self.delivered, f"{promise.id} is lost"
            assert promise.id not in self.rejected
            for one in self.delivered[promise.id]:
                assert hashlib.sha256(one.body).hexdigest() == promise.sha256
                assert one.verified
        assert self.promises.keys() <= self.ledger.keys()
        told = {one: state for one, state in self.ledger.items() if state != self._place(one)}
        assert told == {}, "the ledger says otherwise"
        unexplained = [p.id for p in self.promises.values() if not self._explained(p)]
        assert unexplained == [], "repeated at the partner, and nothing was killed or cut meanwhile"

    def _place(self, message_id: str) -> str:
        """Say as the ledger should where a message is; it also knows of tries that failed."""
        if message_id in self.delivered:
            return "delivered"
        return "rejected" if message_id in self.rejected else "accepted"

    def _explained(self, promise: Promise) -> bool:
        times = [one.at for one in self.delivered.get(promise.id, [])]
        margin = 1.0
        return len(times) < 2 or any(
            promise.posted_at - margin < moment < max(times) + margin for moment in self.breaks
        )

    def __str__(self) -> str:
        told = Counter(self.ledger.values())
        marked = Counter(p.mark for p in self.promises.values() if p.mark)
        repeats = sum(len(self.delivered.get(i, [1])) - 1 for i in self.promises)
        nowhere = self.promises.keys() - self.delivered.keys() - self.rejected.keys()
        lines = [
            f"answered 202:         {len(self.promises):6}",
            f"at the partner:       {len(self.delivered.keys() & self.promises.keys()):6}",
            f"rejected:             {len(self.rejected.keys() & self.promises.keys()):6}",
            *(f"  of them {mark}: {count:6}" for mark, count in sorted(marked.items())),
            f"in the ledger:        {len(self.ledger):6}",
            *(f"  of them {state}: {count:6}" for state, count in sorted(told.items())),
            f"in neither place:     {len(nowhere):6}",
            f"repeats at the partner:{repeats:5}",
            f"kills and cuts:       {len(self.breaks):6}",
        ]
        return "\n".join(lines)
