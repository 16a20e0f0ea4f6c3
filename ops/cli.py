"""The command line: 0 all done, 1 something not done and told, 2 not understood."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from azure.core.exceptions import AzureError

from ops.commands import Choice, discard, replay, show
from ops.telling import cause, tell
from ops.where import NAMESPACE, NowhereError, Where
from shared.queues import BusError

_LIMIT = 100
_ID = re.compile(r"#\d{1,19}|[^#\s]\S*", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    # Why something failed is told once, by the command.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    try:
        where = _where(options)
    except NowhereError as error:
        parser.error(str(error))
    try:
        return asyncio.run(_run(where, options))
    except (AzureError, BusError, OSError) as error:
        tell(f"error: {cause(error)}")
        return 1


async def _run(where: Where, options: argparse.Namespace) -> int:
    if options.command == "rejected":
        return await show(where, options.reason, options.limit, as_json=options.json)
    if options.command == "replay":
        return await replay(where, Choice(options.ids, options.reason), as_json=options.json)
    choice = Choice(options.ids, None)
    return await discard(where, choice, as_json=options.json, sure=options.yes)


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what makes no sense together."""
    if options.command == "replay":
        if bool(options.ids) == options.all:
            parser.error("say which: ID..., or --all")
        if options.reason and not options.all:
            parser.error("--reason goes with --all")
    if options.command == "drop" and not options.yes and not sys.stdin.isatty():
        parser.error("there is no terminal to ask on: --yes drops without asking")


def _where(options: argparse.Namespace) -> Where:
    if options.local or options.folder:
        return Where.in_folder(options.folder)
    given = {NAMESPACE: options.namespace} if options.namespace else {}
    return Where.from_environment({**os.environ, **given})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops", description="Look after the messages that could not be delivered."
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    where = _where_options()
    rejected = commands.add_parser("rejected", parents=[where], help="list rejected messages")
    rejected.add_argument("--reason", help="only those of this reason")
    rejected.add_argument(
        "--limit", type=_count, default=_LIMIT, metavar="N", help=f"at most N of them ({_LIMIT})"
    )
    again = commands.add_parser("replay", parents=[where], help="send them on their way again")
    again.add_argument("ids", nargs="*", type=_id, metavar="ID", help="an id, or #SEQUENCE")
    again.add_argument("--all", action="store_true", help="all that are there now")
    again.add_argument("--reason", help="with --all: only those of this reason")
    drop = commands.add_parser("drop", parents=[where], help="remove them for good")
    drop.add_argument("ids", nargs="+", type=_id, metavar="ID", help="an id, or #SEQUENCE")
    drop.add_argument("--yes", action="store_true", help="without asking")
    return parser


def _where_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    where = options.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace", metavar="HOST", help=f"of Service Bus in Azure (or ${NAMESPACE})"
    )
    where.add_argument("--local", action="store_true", help="the local cloud that is up in .local")
    where.add_argument("--folder", type=Path, help="the local cloud that is up in this folder")
    options.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return options


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither an id nor #SEQUENCE")
    return text


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        raise argparse.ArgumentTypeError("must be a whole number from 1 on")
    return int(text)
