"""What waits for its next attempt, as it is listed: a table for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.table import Table
from rich.text import Text

from local.cli.console import OutputConsole
from local.cli.output import printable
from ops.listing import WIDE, age
from shared.message.waiting import WaitingMessage


def show_table(messages: Sequence[WaitingMessage], now: datetime) -> None:
    """Print a table; each message has its id, and below it what it waits for and why."""
    console = OutputConsole(WIDE)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("SEQUENCE", "ATTEMPTS", "AGE", "NEXT IN"):
        table.add_column(heading, no_wrap=True)
    table.add_column("ID AND REASON", overflow="fold")
    for message in messages:
        table.add_row(
            f"#{message.sequence_number}",
            str(message.attempts),
            age(now - message.accepted_at) if message.accepted_at else "-",
            age(message.due - now),
            Text("\n").join([Text(printable(message.id.id)), Text(_why(message), "dim")]),
        )
    console.print(table)


def _why(message: WaitingMessage) -> str:
    detail = f": {printable(message.detail)}" if message.detail else ""
    return f"{message.waits_for or '-'}{detail}"


def listed(message: WaitingMessage, now: datetime) -> dict[str, object]:
    """Return what `retries --json` says about a message."""
    accepted = message.accepted_at
    return {
        "id": message.id.id,
        "message_id": message.bus_id,
        "sequence_number": message.sequence_number,
        "attempts": message.attempts,
        "waits_for": message.waits_for,
        "detail": message.detail,
        "accepted_at": accepted and accepted.astimezone(UTC).isoformat(timespec="seconds"),
        "age_seconds": accepted and max(0, int((now - accepted).total_seconds())),
        "due_at": message.due.astimezone(UTC).isoformat(timespec="seconds"),
        "due_in_seconds": max(0, int((message.due - now).total_seconds())),
        "size": message.size,
    }
