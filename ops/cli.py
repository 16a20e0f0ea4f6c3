"""The command line: 0 all done, 1 something not done and reported, 2 not understood.

What a command does is imported once it is known which: the clients of Azure take as long as all the
rest, and `--help` and a mistyped command need none.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from local.cli.command_line import CommandLine, count
from local.cli.output import notify
from local.cli.platforms import unsupported
from ops import access_audit_options, partner_options, records_options
from ops.errors import LocalCloudError
from ops.namespace import NAMESPACE

_LIMIT = 100
_ID_HELP = "an id, #SEQUENCE, or dead#SEQUENCE for one that is dead-lettered"
_WAITING_HELP = "an id, or #SEQUENCE"
_DAYS = 365
_ID = re.compile(r"(dead)?#\d{1,19}|(?!(dead)?#)\S+", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    # Why something failed is printed once, by the command.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    parser = command_line()
    options = parser.parse_args(arguments)
    _check_platform(parser, options)
    try:
        return _run(parser, options)
    except LocalCloudError as error:
        notify(f"error: {error}")
        return 1


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.command == "prove":
        from ops.access_audit_command import run as prove

        return prove(parser, options)
    if options.command in records_options.COMMANDS:
        from ops.records_command import run as keep_records

        return keep_records(parser, options)
    _check(parser, options)
    from ops.running import run

    return run(parser, options)


def _check_platform(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse the local cloud where it does not run; an operator of Azure works anywhere."""
    is_local = getattr(options, "local", False) or getattr(options, "folder", None)
    if is_local and (problem := unsupported()):
        parser.error(problem)


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse options that contradict one another."""
    if options.command in ("replay", "retry"):
        if bool(options.ids) == options.all:
            parser.error("no messages given: ID..., or --all")
        if options.rate and not options.all:
            parser.error("--rate goes with --all")
    if options.command == "replay" and options.reason and not options.all:
        parser.error("--reason goes with --all")
    if options.command == "drop" and not options.yes and not sys.stdin.isatty():
        parser.error("no terminal to ask on: --yes drops without asking")


def command_line() -> argparse.ArgumentParser:
    """Return the command line, which the documents are compared with."""
    parser: argparse.ArgumentParser = CommandLine(
        prog="python -m ops",
        description="Manage rejected messages, the partner's secret and the ledger's schema; "
        "prove who may do what.",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    target = _target_options()
    rejected = commands.add_parser("rejected", parents=[target], help="list rejected messages")
    rejected.add_argument("--reason", help="only those of this reason")
    rejected.add_argument(
        "--limit", type=count, default=_LIMIT, metavar="N", help=f"at most N of them ({_LIMIT})"
    )
    again = commands.add_parser("replay", parents=[target], help="send rejected messages again")
    again.add_argument("ids", nargs="*", type=_id, metavar="ID", help=_ID_HELP)
    again.add_argument("--all", action="store_true", help="all that are rejected now")
    again.add_argument("--reason", help="with --all: only those of this reason")
    _add_rate(again)
    _retries_options(commands, target)
    drop = commands.add_parser("drop", parents=[target], help="remove rejected messages for good")
    drop.add_argument("ids", nargs="+", type=_id, metavar="ID", help=_ID_HELP)
    drop.add_argument("--yes", action="store_true", help="without asking")
    migration = commands.add_parser(
        "migrate",
        help="bring the ledger's schema up to date",
        description="Bring the ledger's schema up to date, in the database whose URL is in "
        "RELAY_DATABASE_URL or on standard input, or in the local cloud's.",
    )
    _add_local_options(migration.add_mutually_exclusive_group())
    migration.add_argument("--json", action="store_true", help="print the outcome as JSON")
    access_audit_options.add_to(commands)
    records_options.add_to(commands)
    commands.add_parser("post-provision", help="do what is left to do after `azd provision`")
    partner_options.add_to(commands)
    _secrets_options(commands.add_parser("secrets", help="set the partner's secret"))
    return parser


def _retries_options(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], target: argparse.ArgumentParser
) -> None:
    waiting = commands.add_parser(
        "retries", parents=[target], help="list what waits for its next attempt"
    )
    waiting.add_argument(
        "--limit", type=count, default=_LIMIT, metavar="N", help=f"at most N of them ({_LIMIT})"
    )
    waiting.add_argument(
        "--after", type=_number, default=0, metavar="SEQUENCE", help="only those behind this one"
    )
    sooner = commands.add_parser(
        "retry", parents=[target], help="bring forward what waits for its next attempt"
    )
    sooner.add_argument("ids", nargs="*", type=_waiting_id, metavar="ID", help=_WAITING_HELP)
    sooner.add_argument("--all", action="store_true", help="all that wait now")
    _add_rate(sooner)


def _add_rate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rate", type=count, metavar="N", help="with --all: at most N messages a second"
    )


def _secrets_options(secrets: argparse.ArgumentParser) -> None:
    secrets.description = (
        "Set the partner's secret. It is read from a hidden prompt, or from standard input."
    )
    where = secrets.add_mutually_exclusive_group()
    _add_local_options(where)
    where.add_argument("--vault", metavar="NAME", help="in Azure (or $RELAY_VAULT_PARTNER)")
    secrets.add_argument("--replace", action="store_true", help="also where it is set already")
    secrets.add_argument(
        "--days", type=count, default=_DAYS, metavar="N", help=f"expires in N days ({_DAYS})"
    )
    secrets.add_argument(
        "--patience",
        type=count,
        default=0,
        metavar="SECONDS",
        help="wait this long for rights that are new",
    )


def _target_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    where = options.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace", metavar="HOST", help=f"of Service Bus in Azure (or ${NAMESPACE})"
    )
    _add_local_options(where)
    options.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return options


def _add_local_options(where: argparse._MutuallyExclusiveGroup) -> None:
    where.add_argument("--local", action="store_true", help="the local cloud that is up in .local")
    where.add_argument("--folder", type=Path, help="the local cloud that is up in this folder")


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not {_ID_HELP}")
    return text


def _waiting_id(text: str) -> str:
    if not _ID.fullmatch(text) or text.startswith("dead#"):
        raise argparse.ArgumentTypeError(f"{text!r} is not {_WAITING_HELP}")
    return text


def _number(text: str) -> int:
    if not re.fullmatch(r"#?\d{1,19}", text, re.ASCII):
        raise argparse.ArgumentTypeError("must be a sequence number")
    return int(text.removeprefix("#"))
