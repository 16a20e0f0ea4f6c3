"""The options of `prove`. Apart from what it does, which imports the clients of all services."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from urllib.parse import urlsplit

MASTER_KEY = "RELAY_MASTER_KEY_"
"""The variable of an app's master key begins so; the app's name, in upper case, follows."""

_APP = re.compile(r"([a-z][a-z0-9]*)=(https?://[A-Za-z0-9.-]+(?::\d{1,5})?)/?")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    proving = commands.add_parser(
        "prove",
        help="try what every identity may do, and compare it with infra/access.json",
        description="Ask every app to try, harmlessly, what its identities may do on everything "
        f"there is. In Azure each app's master key is asked for, or taken from {MASTER_KEY}<APP>.",
    )
    where = proving.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help="the local cloud that is up in .local")
    where.add_argument("--folder", type=Path, help="the local cloud that is up in this folder")
    where.add_argument(
        "--app",
        action="append",
        type=app_url,
        metavar="NAME=URL",
        help="an app in Azure, such as sender=https://relay-sender-x.azurewebsites.net; each one "
        "that azd's outputs in the environment (SENDER_URL, ...) do not name",
    )
    proving.add_argument(
        "--operator", metavar="NAME", help="you are signed in as this operator: prove it, too"
    )
    proving.add_argument("--namespace", metavar="HOST", help="of Service Bus; with --operator")
    proving.add_argument(
        "--used", action="store_true", help="local: also report what is declared and never used"
    )
    proving.add_argument("--json", action="store_true", help="print the outcome as JSON")


def app_url(text: str) -> tuple[str, str]:
    """Read `NAME=URL`. Raises `argparse.ArgumentTypeError`."""
    found = _APP.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError("must look like sender=https://host")
    url = urlsplit(found[2])
    if url.scheme != "https" and url.hostname != "127.0.0.1":
        raise argparse.ArgumentTypeError("a master key goes over https only")
    return found[1], found[2]
