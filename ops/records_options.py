"""The options of `prune` and `erase`: what is kept for how long, and where.

Apart from what they do, which imports the libraries of databases and the clients of Azure.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from ops.namespace import NAMESPACE
from shared.ledger.retention import Retention
from shared.message.message_id import is_message_id

COMMANDS = ("prune", "erase")

_FOREVER = "forever"
_DAYS = re.compile(r"[1-9]\d{0,4}", re.ASCII)
_VARIABLES = {
    "ledger_days": ("RELAY_LEDGER_DAYS", "days that the ledger has a row of a final message"),
    "rejected_days": ("RELAY_REJECTED_DAYS", "days that a rejected message is kept"),
    "key_days": ("RELAY_KEY_DAYS", "days that an Idempotency-Key sends once at least"),
}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to a command line."""
    pruning = commands.add_parser(
        "prune",
        help="remove what is kept for longer than the retention says",
        description="Drop rejected messages, remove rows of final messages from the ledger, and "
        "tombstones of Idempotency-Keys, by their age. Run it every day.",
    )
    _add_options(pruning, "ledger_days", "rejected_days", "key_days")
    erasing = commands.add_parser(
        "erase",
        help="remove what is kept of a message that was delivered or rejected",
        description="Remove rejected messages of an id for good, and its row from the ledger.",
    )
    erasing.add_argument("ids", nargs="+", type=_id, metavar="ID", help="the id of a message")
    erasing.add_argument("--yes", action="store_true", help="without asking")
    _add_options(erasing, "key_days")


def retention_of(options: argparse.Namespace, environ: Mapping[str, str]) -> Retention:
    """Return what is kept for how long: by the options, the environment, or the defaults.

    Raises `argparse.ArgumentTypeError`.
    """
    days: dict[str, int | None] = {}
    for name, (variable, _) in _VARIABLES.items():
        text = getattr(options, name, None) or environ.get(variable)
        if text:
            try:
                days[name] = retention_days(text)
            except argparse.ArgumentTypeError as error:
                raise argparse.ArgumentTypeError(f"{_option(name)} or {variable} {error}") from None
    return Retention(**days)


def retention_days(text: str) -> int | None:
    """Read a number of days; None for ever. Raises `argparse.ArgumentTypeError`."""
    if text == _FOREVER:
        return None
    if not _DAYS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"must be a number of days from 1 on, or {_FOREVER}")
    return int(text)


def _add_options(command: argparse.ArgumentParser, *names: str) -> None:
    where = command.add_argument_group("the deployment")
    local = where.add_mutually_exclusive_group()
    local.add_argument("--local", action="store_true", help="the local cloud that is up in .local")
    local.add_argument("--folder", type=Path, help="the local cloud that is up in this folder")
    local.add_argument(
        "--namespace", metavar="HOST", help=f"of Service Bus in Azure (or ${NAMESPACE})"
    )
    where.add_argument(
        "--vault",
        metavar="NAME",
        help="of the database's secret in Azure (or $RELAY_VAULT_DATABASE)",
    )
    default = Retention()
    for name in names:
        variable, meaning = _VARIABLES[name]
        command.add_argument(
            _option(name),
            metavar="N",
            help=f"{meaning}, or {_FOREVER} (${variable}; {getattr(default, name)})",
        )
    command.add_argument("--json", action="store_true", help="print the outcome as JSON")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _id(text: str) -> str:
    if not is_message_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a message")
    return text
