"""What can be made to happen to a running cloud, and how many repeats each of it can explain."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path

from tests.databases import AWAY
from tests.pipeline.cloud_process import Running

OF_FUNCTION = 64  # maxConcurrentCalls of host.json: what one function works on at most
POSTED = ("messages", "retries")  # the queues whose messages are posted, by a function for each
AT_ONCE = OF_FUNCTION * len(POSTED)  # what one receiver works on at most
QUEUES = ("messages", "retries", "rejected", "receipts", "dead-letters")
# Of a queue whose messages are posted: they end the receiver's link to it.
STATES_OF_POSTED = ("disabled", "receive-disabled", "throttled")
GENTLE_STATES = (
    *product(QUEUES, ("full", "send-disabled")),
    *product(QUEUES[len(POSTED) :], ("disabled", "throttled")),
    *product(("receipts", "dead-letters"), ("receive-disabled",)),
)
# A receiver whose functions can run for longer than its host allows; ours never do by themselves.
IMPATIENT = {
    "AzureFunctionsJobHost__functionTimeout": "00:00:03",
    "RELAY_PARTNER_TIMEOUT_SECONDS": "30",
}
_READ = re.compile(r"worker (\d+) has read the app")
_ATTACHED = re.compile(
    r"^(\S+ \S+),\d+ \w+ +Host\.ServiceBus: "
    r"'Functions\.(receive|retry)' on \S+ \S+ (attached|not attached)",
    re.MULTILINE,
)
_FORWARD = re.compile(
    r"^(\S+ \S+),\d+ \w+ +shared\.apps\.catch_up: (bringing forward|not everything"
    r"|brought forward \d+ messages that waited, (\d+))",
    re.MULTILINE,
)
_UNANSWERED = re.compile(
    r"^(\S+ \S+),\d+ \w+ +shared\.apps\.receiver_queues: retry (\S+) in \d+ s: no answer \(",
    re.MULTILINE,
)
COPIED_AT_ONCE = 100  # a page of the queue, which is copied and then cancelled
_COPIES_SECONDS = 60.0  # until copies have been posted: they are due at a pace
_NOTICED = 5.0  # seconds until a receiver notices that a connection is lost
_REPLACED = "has ended; another one is started"


@dataclass(frozen=True)
class Break:
    """Something after which `most` messages may reach the partner once more, and no other."""

    kind: str
    begin: float
    end: float
    most: int


@dataclass
class Trouble:
    """What can be made to happen; each lasts a few seconds and is then undone."""

    cloud: Running
    chance: random.Random
    breaks: list[Break] = field(default_factory=list)
    happened: list[tuple[str, float, float]] = field(default_factory=list)
    _one_at_a_time: dict[str, asyncio.Lock] = field(
        default_factory=lambda: {app: asyncio.Lock() for app in ("sender", "receiver", "tracker")}
    )

    async def happen(self, fault: Callable[[], Awaitable[None]]) -> None:
        """Make one of them happen, and keep when it did."""
        begin = time.time()
        await fault()
        self.happened.append((_name(fault), begin, time.time()))

    def gentle(self) -> list[Callable[[], Awaitable[None]]]:
        """Faults that must not even cause a repeat."""
        return [
            self.vault_throttles,
            self.vault_fails,
            self.vault_does_not_answer,
            self.grant_is_gone,
            self.key_is_rotated,
            self.database_is_away,
            self.tracker_is_stopped,
            self.tracker_is_killed,
            self.workers_of_the_others_are_killed,
            self.sender_is_stopped,
            self.sender_is_killed,
            self.partner_fails,
            self.partner_throttles,
            *(partial(self.queue_is, answer, queue) for queue, answer in GENTLE_STATES),
        ]

    def harsh(self) -> list[Callable[[], Awaitable[None]]]:
        """Faults after which nobody can know whether the last step was done."""
        return [
            self.receiver_is_stopped,
            self.receiver_is_killed,
            self.worker_is_killed,
            self.receivers_are_scaled_in,
            self.functions_run_for_too_long,
            self.bus_is_restarted,
            self.connections_are_cut,
            self.partner_hangs,
            self.partner_closes,
            *(
                partial(self.posted_queue_is, answer, queue)
                for answer, queue in product(STATES_OF_POSTED, POSTED)
            ),
        ]

    async def vault_throttles(self) -> None:
        async with self.fault(service="vault", answer="status", status=429, retry_after="1"):
            await self.pause()

    async def vault_fails(self) -> None:
        async with self.fault(service="vault", answer="status", status=500):
            await self.pause()

    async def vault_does_not_answer(self) -> None:
        async with self.fault(service="vault", answer="hang"):
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

    async def partner_fails(self) -> None:
        async with self.fault(service="partner", answer="status", status=500):
            await self.pause()

    async def partner_throttles(self) -> None:
        async with self.fault(service="partner", answer="status", status=429, retry_after="2"):
            await self.pause()

    async def queue_is(self, answer: str, queue: str) -> None:
        async with self.fault(service="bus", answer=answer, queue=queue):
            await self.pause()

    async def posted_queue_is(self, answer: str, queue: str) -> None:
        """End a link on which the receiver receives: what it works on cannot be settled."""
        async with self.breaking(f"queue {queue} {answer}", OF_FUNCTION):
            await self.queue_is(answer, queue)

    async def tracker_is_stopped(self) -> None:
        # A batch is completed even so.
        await self._ended("tracker", "stop")

    async def tracker_is_killed(self) -> None:
        # Its receipts come twice, and move nothing backwards: no message of the pipeline passes it.
        await self._ended("tracker", "kill")

    async def sender_is_stopped(self) -> None:
        await self._ended("sender", "stop")

    async def sender_is_killed(self) -> None:
        # Whoever posts again has the same Idempotency-Key: it is the same message for the queue.
        await self._ended("sender", "kill")

    async def workers_of_the_others_are_killed(self) -> None:
        await self._kill_worker("sender")
        await self._kill_worker("tracker")
        await self.pause()

    async def partner_hangs(self) -> None:
        await self._partner_takes_it_and("hang")

    async def partner_closes(self) -> None:
        await self._partner_takes_it_and("close")

    async def receiver_is_stopped(self) -> None:
        async with self.breaking("receiver stopped", AT_ONCE):
            await self._ended("receiver", "stop")

    async def receiver_is_killed(self) -> None:
        async with self.breaking("receiver killed", AT_ONCE):
            await self._ended("receiver", "kill")

    async def worker_is_killed(self) -> None:
        async with self.breaking("receiver's worker killed", AT_ONCE):
            await self._kill_worker("receiver")
            await self.pause(1)

    async def receivers_are_scaled_in(self) -> None:
        """Run another receiver for a while, and stop it under load."""
        async with self.breaking("another receiver stopped", AT_ONCE), self._another_receiver():
            await self.pause()

    async def functions_run_for_too_long(self) -> None:
        """Let a partner hang for longer than functionTimeout, which ends workers.

        Each end repeats what that worker was working on; the stop of the host does so once more.
        """
        begin = time.time()
        async with self._another_receiver(**IMPATIENT) as log:
            await self._partner_takes_it_and("hang", seconds=7)
        ends = log.read_text().count(_REPLACED)
        kind = "functions ran for too long"
        self.breaks.append(Break(kind, begin, time.time(), AT_ONCE * (ends + 1)))

    async def bus_is_restarted(self) -> None:
        await self.cloud.control("POST", "/bus/stop")
        await self.pause(1)
        await self.cloud.control("POST", "/bus/start")

    async def connections_are_cut(self) -> None:
        for _ in range(5):
            await self.cloud.control("POST", self.chance.choice(["/bus/drop", "/bus/cut"]))
            await self.pause(0.5)

    def explaining(self) -> list[Break]:
        """Return all that explains a repeat, what receivers wrote of themselves included."""
        theirs = [
            one for log in self._logs() for one in (*lost_connections(log), *brought_forward(log))
        ]
        return self.breaks + theirs

    def unanswered(self) -> dict[str, list[float]]:
        """Return, by message, when receivers gave up waiting for the partner's answer to it."""
        times: dict[str, list[float]] = {}
        for log in self._logs():
            for time_of, message_id in _UNANSWERED.findall(log):
                times.setdefault(message_id, []).append(datetime.fromisoformat(time_of).timestamp())
        return times

    def _logs(self) -> list[str]:
        return [one.read_text() for one in (self.cloud.folder / "logs").glob("receiver*.log")]

    async def _ended(self, app: str, how: str) -> None:
        async with self._one_at_a_time[app]:
            await self.cloud.control("POST", f"/apps/{app}/{how}")
            await self.pause(1)
            await self.cloud.control("POST", f"/apps/{app}/start")

    async def _kill_worker(self, app: str) -> None:
        async with self._one_at_a_time[app]:
            pid = _READ.findall((self.cloud.folder / "logs" / f"{app}.log").read_text())[-1]
            if _is_worker(pid):
                os.kill(int(pid), signal.SIGKILL)

    @asynccontextmanager
    async def _another_receiver(self, **changes: str) -> AsyncIterator[Path]:
        log = self.cloud.folder / "logs" / f"receiver-{time.time_ns()}.log"
        async with self.cloud.another("receiver", changes, str(log)) as (_, process):
            yield log
            process.terminate()
            await process.wait()

    async def _partner_takes_it_and(self, answer: str, seconds: float | None = None) -> None:
        fault = await self.cloud.fault(
            service="partner", answer=answer, deliver_first=True, probability=0.5
        )
        await self.pause(seconds)
        # After an outage the receiver may still wait with what it has for the partner.
        while not await self._hits(fault):
            await self.pause(0.5)
        await self.cloud.control("DELETE", f"/faults/{fault}")

    async def _hits(self, fault: int) -> int:
        active = (await self.cloud.control("GET", "/faults"))["faults"]
        return int(next(one["hits"] for one in active if one["fault"] == fault))

    @asynccontextmanager
    async def breaking(self, kind: str, most: int) -> AsyncIterator[None]:
        begin = time.time()
        yield
        self.breaks.append(Break(kind, begin, time.time(), most))

    async def pause(self, seconds: float | None = None) -> None:
        await asyncio.sleep(seconds or self.chance.uniform(2, 4))

    @asynccontextmanager
    async def fault(self, **fault: object) -> AsyncIterator[None]:
        number = await self.cloud.fault(**fault)
        yield
        await self.cloud.control("DELETE", f"/faults/{number}")


def _name(fault: Callable[[], Awaitable[None]]) -> str:
    if isinstance(fault, partial):
        return f"{fault.func.__name__} {' '.join(fault.args)}"
    return fault.__name__


def lost_connections(log: str) -> list[Break]:
    """Return each connection that a receiver lost, by its own account.

    The bus was away or cut it, or its token was over: what it was handling cannot be settled.
    """
    breaks: list[Break] = []
    attached: set[str] = set()
    for time_of, function, what in _ATTACHED.findall(log):
        at = datetime.fromisoformat(time_of).timestamp()
        if what == "attached":
            attached.add(function)
        elif function in attached:
            attached.remove(function)
            breaks.append(Break("connections lost", at - _NOTICED, at + 1, OF_FUNCTION))
    return breaks


def brought_forward(log: str) -> list[Break]:
    """Return each time that a receiver brought messages forward, by its own account.

    It copies a message and cancels it. One that was due in between is posted with its copy; where
    the bus failed, or the receiver ended, so are those whose copies were not followed by a cancel.
    """
    breaks: list[Break] = []
    begun: float | None = None
    for time_of, what, at_once in _FORWARD.findall(log):
        at = datetime.fromisoformat(time_of).timestamp()
        if begun is not None:
            ended = what.startswith("brought")
            most = int(at_once) if ended else COPIED_AT_ONCE
            breaks.append(Break("bringing forward", begun, at + _COPIES_SECONDS, most))
        begun = at if what.startswith("bringing") else None
    if begun is not None:
        breaks.append(Break("bringing forward", begun, begun + _COPIES_SECONDS, COPIED_AT_ONCE))
    return [one for one in breaks if one.most]


def _is_worker(pid: str) -> bool:
    """Return whether it is one still: another process may have its number by now."""
    try:
        return b"local.host.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
