"""The migration: the ledger's schema, brought up to date as a step of the deployment."""

from __future__ import annotations

import getpass
import json
import os
import sys
from pathlib import Path

from local.cli.output import notify
from migrations import Upgraded, upgrade
from ops.errors import LocalCloudError
from ops.target import TargetNotGivenError
from shared.ledger.errors import LedgerError
from shared.standards.secret_text import secret_text

URL = "RELAY_DATABASE_URL"
_AUTHORITIES = "RELAY_CA_BUNDLE"


def migrate(url: str, *, as_json: bool) -> int:
    """Migrate, and print from which version to which; never the URL, which has a password."""
    authorities = os.environ.get(_AUTHORITIES)
    try:
        done = upgrade(url, Path(authorities) if authorities else None)
    except BrokenPipeError:
        raise  # the reader of the output has gone: `python -m ops` ends quietly
    except (LedgerError, ValueError, OSError) as error:
        notify(f"error: {error}; nothing is changed")
        return 1
    print(json.dumps({"from": done.before, "to": done.after}) if as_json else _sentence(done))
    return 0


def given_url() -> str:
    """Read the database's URL from the environment or standard input. Raises `TargetNotGivenError`.

    Never from an argument: every user of the machine can read those.
    """
    url = secret_text(os.environ.get(URL) or _read())
    if not url:
        raise TargetNotGivenError(f"no database given: its URL in {URL} or on standard input")
    return url


def local_url(folder: Path) -> str:
    """Ask the local cloud that is up in a folder. Raises `LocalCloudError`."""
    # Only here: an operator of Azure needs nothing of the local cloud.
    from local.cli.client import Client, RequestRefusedError
    from local.net.folder import NotUpError

    try:
        found = Client(folder).control("GET", "/database")
    except (NotUpError, RequestRefusedError) as error:
        raise LocalCloudError(str(error)) from None
    return secret_text(str(found["url"])) if isinstance(found, dict) else ""


def _read() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("URL of the database: ")
    return sys.stdin.read()


def _sentence(done: Upgraded) -> str:
    if done.before == done.after:
        return f"the ledger is at version {done.after} already"
    return f"the ledger went from {done.before or 'nothing'} to version {done.after}"
