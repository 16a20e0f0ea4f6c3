"""The commands on rejected messages: list, replay, drop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus.aio import ServiceBusClient

from ops.actions import drop, replaying
from ops.output import Progress, cause, listed, named, notify, plain, table
from ops.queue_job import Action, QueueJob, look
from ops.rejected import Rejected, chosen
from ops.target import Target
from shared.azure.queues import QueueSender

_NO_SUCH = "there is no such rejected message"
_SHOWN = 10  # messages named before they are dropped


@dataclass(frozen=True)
class Selection:
    """Which messages: those named (an id, or `#` and a sequence number), or all of a reason."""

    names: Sequence[str]
    reason: str | None

    def among(self, there: Sequence[Rejected]) -> tuple[dict[int, Rejected], list[str]]:
        """Find them, and the names that lead to none."""
        if self.names:
            return chosen(there, self.names)
        return {m.sequence_number: m for m in there if self.reason in (None, m.reason)}, []


async def show(where: Target, reason: str | None, limit: int, *, as_json: bool) -> int:
    """List messages, oldest first, at most `limit` of them."""
    found: list[Rejected] = []
    more = False
    async with where.client() as client, client.get_queue_receiver(where.rejected) as receiver:
        async for message in look(receiver):
            if reason in (None, message.reason):
                more = len(found) == limit
                if more:
                    break
                found.append(message)
    now = datetime.now(UTC)
    if as_json:
        print(json.dumps({"messages": [listed(one, now) for one in found], "more": more}))
        return 0
    print(table(found, now) if found else "no rejected messages")
    if more:
        notify(f"these are the first {limit}; --limit shows more")
    return 0


async def replay(where: Target, choice: Selection, *, as_json: bool) -> int:
    """Send messages on their way again."""
    async with where.client() as client:
        there = await _all(client, where.rejected)
        action = replaying(QueueSender(client, where.messages), QueueSender(client, where.receipts))
        task = _Task("replayed", as_json=as_json)
        return await task.run(client, where.rejected, there, choice, action)


async def discard(where: Target, choice: Selection, *, as_json: bool, sure: bool) -> int:
    """Drop messages for good, when that is what the user wants."""
    async with where.client() as client:
        there = await _all(client, where.rejected)
        found, _ = choice.among(there)
        if found and not sure and not _confirmed(list(found.values())):
            notify("nothing is dropped")
            return 1
        task = _Task("dropped", as_json=as_json)
        return await task.run(client, where.rejected, there, choice, drop)


async def _all(client: ServiceBusClient, queue: str) -> list[Rejected]:
    async with client.get_queue_receiver(queue) as receiver:
        return [message async for message in look(receiver)]


def _confirmed(messages: Sequence[Rejected]) -> bool:
    notify(table(messages[:_SHOWN], datetime.now(UTC)))
    if len(messages) > _SHOWN:
        notify(f"... and {len(messages) - _SHOWN} more")
    print(f"Drop {len(messages)} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@dataclass
class _Task:
    """A job from its choice to its account; `verb` is what is done, in the past."""

    verb: str
    as_json: bool

    async def run(
        self,
        client: ServiceBusClient,
        queue: str,
        there: Sequence[Rejected],
        choice: Selection,
        action: Action,
    ) -> int:
        # What is rejected from now on is not among it: a partner that still refuses would keep
        # a replay of all going in circles.
        wanted, missing = choice.among(there)
        last = max(wanted, default=0)
        backlog = sum(message.sequence_number <= last for message in there)
        progress = Progress(self.verb)
        job = QueueJob(client, queue, wanted, backlog, action, progress)
        with _interruptible(job):
            await job.run()
        progress.end()
        self._account(job, missing)
        return 1 if job.wanted or job.failed or missing else 0

    def _account(self, job: QueueJob, missing: Sequence[str]) -> None:
        left = _why_left(job)
        not_done = [
            *({"id": name, "sequence_number": None, "why": _NO_SUCH} for name in missing),
            *({**named(message), "why": why} for message, why in job.failed),
            *({**named(message), "why": left} for message in job.wanted.values()),
        ]
        if self.as_json:
            account = {
                self.verb: [named(message) for message in job.done],
                "gone": [named(message) for message in job.vanished],
                "not_done": not_done,
            }
            print(json.dumps(account))
            return
        print(f"{self.verb} {_messages(len(job.done))}")
        if job.vanished:
            notify(f"{_messages(len(job.vanished))} gone meanwhile: somebody else took them")
        for name in missing:
            notify(f"not {self.verb}: {plain(name)}: {_NO_SUCH}")
        for message, why in job.failed:
            notify(f"not {self.verb}: {message.name}: {why}")
        if job.wanted:
            notify(f"not {self.verb}: {_messages(len(job.wanted))}: {left}; run it again")


def _why_left(job: QueueJob) -> str:
    if job.failure:
        return cause(job.failure)
    return "interrupted" if job.stop.is_set() else "in other hands"


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"


@contextmanager
def _interruptible(job: QueueJob) -> Iterator[None]:
    """Let the first Ctrl-C end the job in good order; a second one ends it at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        notify("\nstopping after what is in hand; Ctrl-C again stops at once")
        job.stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
