"""What is told: tables for people, JSON for scripts, progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

from ops.queue_job import QueueJob
from ops.rejected import Rejected
from shared.azure.queues import BusDeniedError

_REFUSED = (ServiceBusAuthenticationError, ServiceBusAuthorizationError, BusDeniedError)
_HEADINGS = ("ID", "SEQUENCE", "REASON", "ATTEMPTS", "AGE", "DETAIL")


def notify(text: str) -> None:
    """Say something that is not a command's result."""
    print(text, file=sys.stderr, flush=True)


def table(messages: Sequence[Rejected], now: datetime) -> str:
    """Return a line for each message, under headings."""
    rows = [_HEADINGS] + [
        (
            plain(message.id or message.message_id) or "-",
            f"#{message.sequence_number}",
            plain(message.reason) or "-",
            str(message.attempts),
            age(now - message.rejected_at),
            plain(message.detail),
        )
        for message in messages
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def listed(message: Rejected, now: datetime) -> dict[str, object]:
    """Return what `rejected --json` says about a message."""
    return {
        "id": message.id,
        "message_id": message.message_id,
        "sequence_number": message.sequence_number,
        "reason": message.reason,
        "detail": message.detail,
        "attempts": message.attempts,
        "rejected_at": message.rejected_at.astimezone(UTC).isoformat(timespec="seconds"),
        "age_seconds": max(0, int((now - message.rejected_at).total_seconds())),
        **({"kind": "receipt"} if message.is_receipt else {}),
    }


def named(message: Rejected) -> dict[str, object]:
    """Return what other commands' `--json` says about a message."""
    return {"id": message.id, "sequence_number": message.sequence_number}


def age(passed: timedelta) -> str:
    """Spell a time in its two largest units: `3d 4h`, `12m 5s`."""
    seconds = max(0, int(passed.total_seconds()))
    units = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
    for place, (unit, size) in enumerate(units[:-1]):
        if seconds >= size:
            smaller, smaller_size = units[place + 1]
            return f"{seconds // size}{unit} {seconds % size // smaller_size}{smaller}"
    return f"{seconds}s"


def plain(text: str) -> str:
    """Spell out control characters: a message's sender must not get at the operator's terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def cause(error: Exception) -> str:
    """Say in one line why something failed."""
    if isinstance(error, _REFUSED):
        return "refused: this principal has not the rights of an operator (infra/access.json)"
    if isinstance(error, ClientAuthenticationError):
        return "there is no token available: sign in first, with az login for example"
    if isinstance(error, MessagingEntityNotFoundError):
        return "there is no such queue"
    first = str(error).partition("\n")[0]
    return f"the bus does not answer as it should ({type(error).__name__}: {plain(first)[:200]})"


class Progress:
    """Shows how far a job is, on a terminal only."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._shown = 0

    def __call__(self, job: QueueJob) -> None:
        """Show it."""
        if sys.stderr.isatty():
            line = f"{self._verb} {len(job.done)} of {job.total}"
            if job.held:
                line += f", waiting for {len(job.wanted)} that are in other hands"
            print(f"\r{line.ljust(self._shown)}", end="", file=sys.stderr, flush=True)
            self._shown = len(line)

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            notify("")
