"""The command `partner`: which vault and namespace its options lead to."""

from __future__ import annotations

import argparse
import asyncio
import os

from local.cli.output import notify
from ops.namespace import namespace_in
from ops.partner_pause import OFFICER, pause, resume, status
from ops.partner_secret import NotSetError
from ops.secret_target import SecretTarget
from ops.target import Target
from shared.partner.operator_state import SECRET


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
