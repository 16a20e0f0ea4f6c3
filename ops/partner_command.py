"""The command `partner`: its options, and which vault and namespace they lead to."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from local.cli.output import notify
from ops.partner_pause import OFFICER, pause, resume, status
from ops.partner_secret import NotSetError
from ops.secret_target import SecretTarget
from ops.target import Target, namespace_in
from shared.partner.operator_state import SECRET


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


def run(options: argparse.Namespace) -> int:
    """Run it: 0 if done, 1 if not. Raises `TargetNotGivenError`."""
    is_local = bool(options.local or options.folder)
    if is_local:
        target = SecretTarget.in_folder(SECRET, OFFICER, options.folder)
    else:
        target = SecretTarget.in_azure(SECRET, options.vault, os.environ)
    try:
        return asyncio.run(_done(options, target, is_local=is_local))
    except NotSetError as error:
        notify(f"error: {error}")
        return 1


async def _done(options: argparse.Namespace, target: SecretTarget, *, is_local: bool) -> int:
    if options.action == "pause":
        return await pause(target, options.reason, as_json=options.json)
    if options.action == "resume":
        return await resume(target, as_json=options.json)
    bus = None
    if is_local:
        bus = Target.in_folder(options.folder, OFFICER)
    elif namespace_in(os.environ):
        bus = Target.from_environment(os.environ)
    return await status(target, bus, as_json=options.json)
