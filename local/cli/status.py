"""The command `status`: the apps, machines, queues and keys of a cloud, and the faults in force."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from rich.table import Table

from local.cli.client import Client, RequestRefusedError
from local.cli.faults import fault_lines
from local.cli.tables import show, table


def show_status(options: argparse.Namespace) -> int:
    """Print the status of the cloud in a folder."""
    status = as_object(Client(options.folder).control("GET", "/status"))
    for made in status_tables(status):
        show(made)
        print()
    print(f"messages at the partner: {as_object(status['partner'])['received']}")
    for line in fault_lines(status):
        print(line)
    return 0


def status_tables(status: Mapping[str, object]) -> list[Table]:
    """Return what `GET /status` of the control endpoint says, as tables without empty ones."""
    apps, machines, queues, keys = (
        as_object(status[name]) for name in ("apps", "machines", "queues", "keys")
    )
    states = list(as_object(next(iter(queues.values()), {})))
    tables = [
        table(("app", "state", "URL"), [_row(n, app, "state", "url") for n, app in apps.items()]),
        table(
            ("machine", "identities", "URL"),
            [_row(name, machine, "identities", "url") for name, machine in machines.items()],
        ),
        table(
            ("queue", *(state.replace("_", " ") for state in states)),
            [_row(name, counts, *states) for name, counts in queues.items()],
            numbers=True,
        ),
        table(("key", "versions", "newest"), [_key(name, v) for name, v in keys.items()]),
    ]
    return [made for made in tables if made.row_count]


def as_object(value: object) -> Mapping[str, object]:
    """Return a JSON object; `RequestRefusedError` for anything else."""
    if not isinstance(value, dict):
        raise RequestRefusedError("the cloud sent an answer of an unknown form")
    return value


def _row(name: str, value: object, *columns: str) -> list[str]:
    properties = as_object(value)
    return [name, *(_text(properties[column]) for column in columns)]


def _key(name: str, versions: object) -> list[str]:
    known = versions if isinstance(versions, list) else []
    return [name, str(len(known)), str(known[-1]) if known else "-"]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
