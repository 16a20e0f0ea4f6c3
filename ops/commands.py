"""The commands on rejected messages: list, replay, drop."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from azure.servicebus.aio import ServiceBusClient

from local.cli.output import notify, printable
from ops.actions import by_queue, dropping, replaying
from ops.causes import cause
from ops.interruption import interruptible
from ops.listing import listed, named
from ops.listing import show as show_table
from ops.message_list import MessageList
from ops.progress import Progress
from ops.queue_job import Action, QueueJob, Source
from ops.rejected import Rejected, chosen
from ops.target import Target
from ops.worklist import Worklist
from shared.azure.queues import QueueSender
from shared.message.ramp import Ramp

_NO_SUCH = "there is no such rejected message"
_LIST = MessageList[Rejected](
    listed,
    show_table,
    nothing="no rejected messages",
    further=lambda _: "--limit shows more",
)
_SHOWN = 10  # messages named before they are dropped


@dataclass(frozen=True)
class Selection:
    """Which messages: those named (an id, or a sequence number), or all of a reason."""

    names: Sequence[str]
    reason: str | None

    def among(self, there: Sequence[Rejected]) -> tuple[list[Rejected], list[str]]:
        """Find them, and the names that lead to none."""
        if self.names:
            return chosen(there, self.names)
        return [one for one in there if self.reason in (None, one.reason)], []


async def show(target: Target, reason: str | None, limit: int, *, as_json: bool) -> int:
    """List messages, oldest first, at most `limit` of them; dead-lettered ones come last."""
    async with target.client() as client:
        found = await _first(_sources(client, target), reason, limit + 1)
    _LIST.show(found, limit, datetime.now(UTC), as_json=as_json)
    return 0


async def replay(
    target: Target, selection: Selection, rate: int | None = None, *, as_json: bool
) -> int:
    """Send rejected messages again, at `rate` messages a second; None for all at once."""
    async with target.client() as client:
        sources = _sources(client, target)
        action = replaying(
            {
                "messages": QueueSender(client, target.messages),
                "receipts": QueueSender(client, target.receipts),
            },
            _due_times(rate) if rate else lambda: None,
        )
        there = await _all(sources)
        return await _Task("replayed", as_json=as_json).run(sources, there, selection, action)


async def discard(target: Target, selection: Selection, *, as_json: bool, sure: bool) -> int:
    """Drop messages for good, when that is what the user wants."""
    async with target.client() as client:
        sources = _sources(client, target)
        there = await _all(sources)
        found, _ = selection.among(there)
        if found and not sure and not _confirmed(found):
            notify("nothing is dropped")
            return 1
        action = dropping(by_queue(QueueSender(client, target.receipts)))
        return await _Task("dropped", as_json=as_json).run(sources, there, selection, action)


def _due_times(rate: int) -> Callable[[], datetime]:
    """Return what gives the times of messages at a rate, from the first that is asked for on."""

    def times() -> Iterator[datetime]:
        ramp, start = Ramp.constant(rate), datetime.now(UTC)
        for position in itertools.count():
            yield start + timedelta(seconds=ramp.seconds(position))

    return times().__next__


def _sources(client: ServiceBusClient, target: Target) -> Sequence[Source]:
    """Give the places where rejected messages can be.

    Beside the queue itself that is its dead-letter queue: what expires there, or was received too
    often, and no other queue of the deployment keeps its dead letters.
    """
    return [
        Source(client, target.rejected),
        Source(client, target.rejected, dead_lettered=True),
    ]


async def _first(sources: Sequence[Source], reason: str | None, limit: int) -> list[Rejected]:
    found: list[Rejected] = []
    for source in sources:
        async for message in source.look():
            if reason in (None, message.reason):
                found.append(message)
            if len(found) == limit:
                return found
    return found


async def _all(sources: Sequence[Source]) -> list[Rejected]:
    return [message for source in sources async for message in source.look()]


def _confirmed(messages: Sequence[Rejected]) -> bool:
    show_table(messages[:_SHOWN], datetime.now(UTC), sys.stderr)
    if len(messages) > _SHOWN:
        notify(f"... and {len(messages) - _SHOWN} more")
    print(f"Drop {len(messages)} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@dataclass
class _Task:
    """An action on a selection, from choosing to reporting; `verb` is what is done, in the past."""

    verb: str
    as_json: bool

    async def run(
        self,
        sources: Sequence[Source],
        there: Sequence[Rejected],
        selection: Selection,
        action: Action,
    ) -> int:
        wanted, missing = selection.among(there)
        worklists = [
            Worklist.of(
                [one for one in wanted if one.dead_lettered == source.dead_lettered],
                [one for one in there if one.dead_lettered == source.dead_lettered],
            )
            for source in sources
        ]
        progress, stop = Progress(self.verb, worklists), asyncio.Event()
        jobs = [
            QueueJob(source, worklist, action, progress.show, stop)
            for source, worklist in zip(sources, worklists, strict=True)
        ]
        with interruptible(stop):
            for job in jobs:
                await job.run()
        progress.end()
        left = _why_left(jobs)
        self._report(worklists, missing, left)
        return 1 if missing or any(one.wanted or one.failed for one in worklists) else 0

    def _report(self, worklists: Sequence[Worklist], missing: Sequence[str], left: str) -> None:
        done = [message for one in worklists for message in one.done]
        vanished = [message for one in worklists for message in one.vanished]
        failed = [failure for one in worklists for failure in one.failed]
        wanted = [message for one in worklists for message in one.wanted.values()]
        if self.as_json:
            not_done = [
                *({"id": name, "sequence_number": None, "why": _NO_SUCH} for name in missing),
                *({**named(message), "why": why} for message, why in failed),
                *({**named(message), "why": left} for message in wanted),
            ]
            report = {
                self.verb: [named(message) for message in done],
                "gone": [named(message) for message in vanished],
                "not_done": not_done,
            }
            print(json.dumps(report))
            return
        print(f"{self.verb} {_messages(len(done))}")
        if vanished:
            notify(f"{_messages(len(vanished))} gone meanwhile: somebody else took them")
        for name in missing:
            notify(f"not {self.verb}: {printable(name)}: {_NO_SUCH}")
        for message, why in failed:
            notify(f"not {self.verb}: {message.name}: {why}")
        if wanted:
            notify(f"not {self.verb}: {_messages(len(wanted))}: {left}; run it again")


def _why_left(jobs: Sequence[QueueJob]) -> str:
    for job in jobs:
        if job.failure:
            return cause(job.failure)
    return "interrupted" if jobs[0].stop.is_set() else "locked by another receiver"


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"
