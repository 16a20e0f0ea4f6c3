"""The commands `prune` and `erase`: where they go, and how each ends."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from azure.core.exceptions import AzureError

from local.cli.output import notify
from ops.causes import cause
from ops.erase import erase
from ops.prune import prune
from ops.records import RecordsTarget
from ops.records_options import retention_of
from ops.target import TargetNotGivenError
from shared.azure.queues import BusError
from shared.ledger.errors import LedgerError


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Run one: 0 if all is done, 1 if something is not and is reported, 2 if not understood."""
    if options.command == "erase" and not options.yes and not sys.stdin.isatty():
        parser.error("no terminal to ask on: --yes erases without asking")
    try:
        retention = retention_of(options, os.environ)
        if options.local or options.folder:
            target = RecordsTarget.in_folder(options.folder)
        else:
            target = RecordsTarget.in_azure(options.namespace, options.vault, os.environ)
    except (TargetNotGivenError, argparse.ArgumentTypeError) as error:
        parser.error(str(error))
    if options.command == "erase":
        doing = erase(target, options.ids, retention, as_json=options.json, sure=options.yes)
    else:
        doing = prune(target, retention, as_json=options.json)
    try:
        return asyncio.run(doing)
    except LedgerError as error:
        notify(f"error: {error}")
        return 1
    except BrokenPipeError:
        raise  # the reader of the output has gone: `python -m ops` ends quietly
    except (AzureError, BusError, OSError) as error:
        notify(f"error: {cause(error)}")
        return 1
