"""The options of `partner`. Apart from what it does, which imports the clients of Azure."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    partner = commands.add_parser(
        "partner",
        help="pause or resume what is sent to the partner",
        description="Pause what is sent to the partner, or resume it; messages wait meanwhile, and "
        "use up no attempt.",
    )
    options = argparse.ArgumentParser(add_help=False)
    where = options.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help="the local cloud that is up in .local")
    where.add_argument("--folder", type=Path, help="the local cloud that is up in this folder")
    where.add_argument("--vault", metavar="NAME", help="in Azure (or $RELAY_VAULT_STATE)")
    options.add_argument("--json", action="store_true", help="print the outcome as JSON")
    actions = partner.add_subparsers(required=True, dest="action", metavar="ACTION")
    stop = actions.add_parser("pause", parents=[options], help="send it nothing until resumed")
    stop.add_argument("--reason", default="", metavar="TEXT", help="for the receivers' logs")
    actions.add_parser("resume", parents=[options], help="send to it again")
    actions.add_parser("status", parents=[options], help="say whether it is paused")
