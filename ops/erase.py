"""The command `erase`: remove what is kept of single messages."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from azure.servicebus import ServiceBusReceivedMessage

from local.cli.output import notify
from ops.causes import cause
from ops.interruption import interruptible
from ops.records import Records, RecordsTarget
from ops.rejected import Rejected
from shared.ledger.entry import LedgerEntry
from shared.ledger.retention import OPEN, Erasure, Retention
from shared.message.message_id import spellings

_ROWS = {
    Erasure.UNKNOWN: "none",
    Erasure.REMOVED: "removed",
    Erasure.TOMBSTONE: "tombstone",
}
_MEANING = {
    Erasure.UNKNOWN: "the ledger has no row of it",
    Erasure.REMOVED: "its row in the ledger",
    Erasure.TOMBSTONE: "its row in the ledger, but for id, fingerprint, state and when it was "
    "accepted and queued, as long as its Idempotency-Key is promised",
}
_NOTHING_KEPT = "nothing is kept of it"
_ELSEWHERE = (
    "not removed: log lines and backups of the database, which end with their own retention, and "
    "what the partner has"
)


@dataclass(frozen=True)
class Kept:
    """What is kept of one message; `waiting` copies of it are on the queue of retries."""

    id: str
    entry: LedgerEntry | None
    rejected: Sequence[Rejected] = ()
    waiting: int = 0

    def refusal(self) -> str | None:
        """Return why it cannot be erased now, and what to do; None if it can."""
        entry = self.entry
        if entry and entry.state in OPEN:
            since = _last_step(entry).isoformat(timespec="seconds")
            return (
                f"it is on its way to the partner ({entry.state} since {since}): erase it once it "
                f"is delivered or rejected{self._sooner()}"
            )
        if self.waiting:
            return (
                "a copy of it waits on the queue of retries, and its receipt would make its row "
                f"anew: erase it once that is recorded{self._sooner()}"
            )
        if entry is None and not self.rejected:
            return _NOTHING_KEPT
        return None

    def _sooner(self) -> str:
        # Whatever else waits, such as for a service, is brought forward in the same way.
        return f"; `retry {self.id}` brings it forward" if self.waiting else ""


def _last_step(entry: LedgerEntry) -> datetime:
    times = (entry.accepted_at, entry.queued_at, entry.retrying_at)
    return max((time for time in times if time), default=entry.first_seen_at)


@dataclass
class Outcome:
    """What was erased, by id, and why the rest was not."""

    erased: dict[str, tuple[Erasure, int]] = field(default_factory=dict)
    not_erased: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "erased": [
                {"id": id_, "ledger": _ROWS[row], "rejected": count}
                for id_, (row, count) in self.erased.items()
            ],
            "not_erased": [{"id": id_, "why": why} for id_, why in self.not_erased.items()],
        }

    def show(self) -> None:
        """Print it."""
        for id_, (row, count) in self.erased.items():
            messages = f"{count} rejected message{'' if count == 1 else 's'}"
            print(f"erased {id_}: {messages}; {_MEANING[row]}")
        for id_, why in self.not_erased.items():
            notify(f"not erased: {id_}: {why}")
        if self.erased:
            notify(_ELSEWHERE)


async def erase(
    target: RecordsTarget, names: Sequence[str], retention: Retention, *, as_json: bool, sure: bool
) -> int:
    """Remove what is kept of messages, report it, and return 1 if some of it is left.

    Rejected messages go first: of one whose row is gone already, nobody would know any more what
    it was. Raises `LedgerError`.
    """
    async with target.opened() as records:
        keys_before = retention.keys_before(await records.retained.now())
        found = await _find(records, names)
        outcome = Outcome(not_erased={one.id: why for one in found if (why := one.refusal())})
        wanted = [one for one in found if one.id not in outcome.not_erased]
        if wanted and not sure and not _confirmed(wanted):
            notify("nothing is erased")
            return 1
        stop = asyncio.Event()
        with interruptible(stop):
            left = await _take_off(records, wanted, stop)
            outcome.not_erased |= left
            for one in wanted:
                if one.id not in left:
                    await _erase_row(records, one, keys_before, outcome)
    if as_json:
        print(json.dumps(outcome.as_dict()))
    else:
        outcome.show()
    return 1 if outcome.not_erased else 0


async def _find(records: Records, names: Sequence[str]) -> Sequence[Kept]:
    entries: dict[str, LedgerEntry | None] = {}
    for name in names:
        known = [await records.ledger.entry(spelling) for spelling in spellings(name)]
        entry = next((one for one in known if one), None)
        entries[entry.id if entry else spellings(name)[-1]] = entry
    rejected, waiting = await records.rejected(), await records.waiting()
    return [
        Kept(
            id_,
            entry,
            [one for one in rejected if one.id == id_],
            sum(one.id == id_ for one in waiting),
        )
        for id_, entry in entries.items()
    ]


async def _take_off(
    records: Records, wanted: Sequence[Kept], stop: asyncio.Event
) -> Mapping[str, str]:
    """Take rejected messages off their queues; return of which ids some is left, and why."""
    messages = [message for one in wanted for message in one.rejected]
    left: dict[str, str] = {}
    for job in records.jobs(messages, await records.rejected(), _nothing, stop):
        await job.run()
        why = cause(job.failure) if job.failure else "a rejected message is locked by another"
        left |= {
            message.id: f"{why}; run it again"
            for message in job.worklist.wanted.values()
            if message.id
        }
    return left


async def _nothing(messages: Sequence[ServiceBusReceivedMessage]) -> Sequence[str | None]:
    """Do nothing: the job completes them. The ledger gets no receipt, as its row goes as well."""
    return [None for _ in messages]


async def _erase_row(records: Records, one: Kept, keys_before: datetime, outcome: Outcome) -> None:
    erased = await records.retained.erase(one.id, keys_before)
    if erased.outcome is Erasure.STILL_OPEN:
        outcome.not_erased[one.id] = f"it is on its way again ({erased.state}): run it again later"
    else:
        outcome.erased[one.id] = erased.outcome, len(one.rejected)


def _confirmed(wanted: Sequence[Kept]) -> bool:
    for one in wanted:
        state = one.entry.state if one.entry else "not in the ledger"
        notify(f"{one.id}: {state}; rejected messages: {len(one.rejected)}")
    print(f"Erase {len(wanted)} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
