"""Running a command whose options are understood, and how each ends."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from azure.core.exceptions import AzureError

from local.cli.output import notify
from ops import partner_command, retries
from ops.causes import cause
from ops.commands import Selection, discard, replay, show
from ops.namespace import NAMESPACE
from ops.partner_secret import OFFICER, SECRET, NotSetError, prompt_secret, set_partner
from ops.retries import retry, show_waiting
from ops.secret_target import SecretTarget
from ops.target import Target, TargetNotGivenError
from shared.azure.queues import BusError


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Run it: 0 if all is done, 1 if something is not and is reported, 2 if not understood."""
    try:
        if options.command == "migrate":
            return _migrate(options)
        if options.command == "secrets":
            return _set_secret(options)
        if options.command == "partner":
            return partner_command.run(options)
        if options.command == "post-provision":
            return _post_provision()
        target = _target(options)
    except TargetNotGivenError as error:
        parser.error(str(error))
    try:
        return asyncio.run(_run(target, options))
    except BrokenPipeError:
        raise  # the reader of the output has gone: `python -m ops` ends quietly
    except (AzureError, BusError, OSError) as error:
        notify(f"error: {cause(error)}")
        return 1


def _migrate(options: argparse.Namespace) -> int:
    # Only here: it needs Alembic, which no other command does.
    from ops.migrate import given_url, local_url, migrate

    local = options.local or options.folder
    url = local_url(options.folder or Path(".local")) if local else given_url()
    return migrate(url, as_json=options.json)


async def _run(target: Target, options: argparse.Namespace) -> int:
    if options.command == "rejected":
        return await show(target, options.reason, options.limit, as_json=options.json)
    if options.command == "replay":
        selection = Selection(options.ids, options.reason)
        return await replay(target, selection, options.rate, as_json=options.json)
    if options.command == "retries":
        return await show_waiting(target, options.limit, options.after, as_json=options.json)
    if options.command == "retry":
        return await retry(target, options.ids, options.rate, as_json=options.json)
    selection = Selection(options.ids, None)
    return await discard(target, selection, as_json=options.json, sure=options.yes)


def _post_provision() -> int:
    # Only here: it needs Alembic, too.
    from ops.post_provision import post_provision

    return post_provision(os.environ)


def _set_secret(options: argparse.Namespace) -> int:
    """Set the partner's secret. Raises `TargetNotGivenError`."""
    if options.local or options.folder:
        target = SecretTarget.in_folder(SECRET, OFFICER, options.folder)
    else:
        target = SecretTarget.in_azure(SECRET, options.vault, os.environ)
    setting = set_partner(
        target, options.days, replace=options.replace, patience=options.patience, read=prompt_secret
    )
    try:
        asyncio.run(setting)
    except NotSetError as error:
        notify(f"error: {error}")
        return 1
    return 0


def _target(options: argparse.Namespace) -> Target:
    if options.local or options.folder:
        if options.command in ("retries", "retry"):
            return Target.in_folder(options.folder, retries.OPERATOR)
        return Target.in_folder(options.folder)
    given = {NAMESPACE: options.namespace} if options.namespace else {}
    return Target.from_environment({**os.environ, **given})
