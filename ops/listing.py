"""Rejected messages as they are listed: a table for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TextIO

from rich import box
from rich.table import Table
from rich.text import Text

from local.cli.console import OutputConsole
from local.cli.output import printable
from ops.rejected import Rejected

WIDE = 320  # where there is no terminal whose width would count: no line is broken


def show(messages: Sequence[Rejected], now: datetime, file: TextIO | None = None) -> None:
    """Print a table of messages; each has its id, and below it why it was rejected."""
    console = OutputConsole(WIDE, file)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("SEQUENCE", "ATTEMPTS", "AGE"):
        table.add_column(heading, no_wrap=True)
    table.add_column("ID AND REASON", overflow="fold")
    for message in messages:
        table.add_row(
            message.number,
            str(message.attempts),
            age(now - message.rejected_at),
            Text("\n").join([Text(_id(message)), Text(_why(message), "dim")]),
        )
    console.print(table)


def _id(message: Rejected) -> str:
    return printable(message.id or message.message_id) or "-"


def _why(message: Rejected) -> str:
    kind = "receipt: " if message.is_receipt else ""
    detail = f": {printable(message.detail)}" if message.detail else ""
    return f"{kind}{printable(message.reason) or '-'}{detail}"


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
        **_place(message),
    }


def named(message: Rejected) -> dict[str, object]:
    """Return what other commands' `--json` says about a message."""
    return {"id": message.id, "sequence_number": message.sequence_number, **_place(message)}


def _place(message: Rejected) -> dict[str, object]:
    return {"dead_lettered": True} if message.dead_lettered else {}


def age(passed: timedelta) -> str:
    """Write a time in its two largest units: `3d 4h`, `12m 5s`."""
    seconds = max(0, int(passed.total_seconds()))
    units = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
    for place, (unit, size) in enumerate(units[:-1]):
        if seconds >= size:
            smaller, smaller_size = units[place + 1]
            return f"{seconds // size}{unit} {seconds % size // smaller_size}{smaller}"
    return f"{seconds}s"
