"""The command `prune`: remove what is kept for longer than the retention says."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from azure.servicebus import ServiceBusReceivedMessage

from local.cli.output import notify
from ops.actions import dropping
from ops.causes import cause
from ops.interruption import interruptible
from ops.queue_job import Action, QueueJob
from ops.records import Records, RecordsTarget
from shared.ledger.entry import Position
from shared.ledger.errors import LedgerError
from shared.ledger.ledger import Ledger
from shared.ledger.retention import FINAL, Batch, Retention
from shared.message.state import State

BATCH = 500
"""Rows looked at in one transaction; their locks last some ten milliseconds."""


class PrunedLedger(Protocol):
    """What gives up rows, as `RetainedLedger` does. Both raise `LedgerError`."""

    async def prune(
        self,
        state: State,
        rows_before: datetime,
        keys_before: datetime,
        after: Position | None,
        limit: int,
    ) -> Batch:
        """Look at some messages of a final state, and give up those that are due."""

    async def expire(self, keys_before: datetime, limit: int) -> int:
        """Remove some tombstones of messages that were accepted before."""


@dataclass
class RowsPruned:
    """How many rows were removed, left a tombstone, or were tombstones and were removed."""

    removed: int = 0
    tombstones: int = 0
    expired: int = 0


@dataclass
class MessagesDropped:
    """How many rejected messages were dropped, and why the others of their age were not."""

    dropped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    left: int = 0
    why_left: str = ""


async def prune(target: RecordsTarget, retention: Retention, *, as_json: bool) -> int:
    """Remove what is older than the retention, report it, and return 1 if some of it is left.

    Whatever ends it before its end, a later run does the rest. Raises `LedgerError`.
    """
    async with target.opened() as records:
        # By the database's clock: one that is ahead would remove what is to be kept.
        now = await records.retained.now()
        stop = asyncio.Event()
        with interruptible(stop):
            # First, so that of what is dropped the ledger keeps a row for as long as of the rest.
            messages = await drop_rejected(records, retention.rejected_before(now), stop)
            rows = await prune_ledger(records.retained, retention, now, stop)
        waiting = await records.retained.open_before(retention.rows_before(now))
    if as_json:
        print(json.dumps(as_dict(messages, rows, waiting)))
    else:
        _show(messages, rows, waiting)
    return 1 if stop.is_set() or messages.failed or messages.left else 0


async def prune_ledger(
    ledger: PrunedLedger, retention: Retention, now: datetime, stop: asyncio.Event
) -> RowsPruned:
    """Prune the ledger in small batches until nothing is due, or until `stop` is set.

    It rests after each batch for as long as the batch took: half of the time the database is the
    apps' alone, and the busier it is, the slower this goes.
    """
    pruned = RowsPruned()
    keys_before = retention.keys_before(now)
    if retention.ledger_days is not None:
        for state in FINAL:
            after: Position | None = None
            while not stop.is_set():
                begun = time.monotonic()
                batch = await ledger.prune(
                    state, retention.rows_before(now), keys_before, after, BATCH
                )
                pruned.removed += batch.removed
                pruned.tombstones += batch.tombstones
                if (after := batch.last) is None:
                    break
                await _rest(stop, time.monotonic() - begun)
    while retention.key_days is not None and not stop.is_set():
        begun = time.monotonic()
        expired = await ledger.expire(keys_before, BATCH)
        pruned.expired += expired
        if expired < BATCH:
            break
        await _rest(stop, time.monotonic() - begun)
    return pruned


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def drop_rejected(records: Records, before: datetime, stop: asyncio.Event) -> MessagesDropped:
    """Drop messages that were rejected before, once the ledger has it of each."""
    there = await records.rejected()
    old = [message for message in there if message.rejected_at < before]
    done = MessagesDropped()
    for job in records.jobs(old, there, _dropping(records.ledger), stop):
        await job.run()
        done.dropped += len(job.worklist.done)
        done.failed += [(message.name, why) for message, why in job.worklist.failed]
        done.left += len(job.worklist.wanted)
        done.why_left = done.why_left or _why_left(job)
    return done


def _dropping(ledger: Ledger) -> Action:
    """Drop messages once the ledger has it; those of which it cannot have it stay."""
    drop = dropping(ledger.record)

    async def drop_recorded(messages: Sequence[ServiceBusReceivedMessage]) -> Sequence[str | None]:
        try:
            return await drop(messages)
        except LedgerError as error:
            return [str(error)] * len(messages)

    return drop_recorded


def _why_left(job: QueueJob) -> str:
    if not job.worklist.wanted:
        return ""
    return cause(job.failure) if job.failure else "locked by another receiver, or interrupted"


def as_dict(
    messages: MessagesDropped, rows: RowsPruned, waiting: Mapping[State, int]
) -> dict[str, object]:
    """Return what `--json` prints."""
    return {
        "dropped": messages.dropped,
        "removed": rows.removed,
        "tombstones": rows.tombstones,
        "expired_tombstones": rows.expired,
        "not_dropped": [{"id": name, "why": why} for name, why in messages.failed]
        + ([{"count": messages.left, "why": messages.why_left}] if messages.left else []),
        "not_final": {state.value: count for state, count in waiting.items()},
    }


def _show(messages: MessagesDropped, rows: RowsPruned, waiting: Mapping[State, int]) -> None:
    print(f"rejected messages dropped: {messages.dropped}")
    print(f"rows removed: {rows.removed}")
    print(f"rows of which a tombstone is left, for their Idempotency-Key: {rows.tombstones}")
    print(f"tombstones removed: {rows.expired}")
    for name, why in messages.failed:
        notify(f"not dropped: {name}: {why}")
    if messages.left:
        notify(f"not dropped: {messages.left} of that age: {messages.why_left}; run it again")
    if waiting:
        kept = ", ".join(f"{count} {state}" for state, count in waiting.items())
        notify(f"as old, and kept because they have not come to their end: {kept}")
