"""The command `decisions`: the audit log, who was allowed or refused what, and why."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.cli.client import Client, RequestRefusedError
from local.cli.up import notify

_PAGE = 1000
_POLL = 0.5  # seconds
_EXAMPLES = """examples:
  decisions --refused              refusals only, with what would have allowed them
  decisions --request 3f0c...      the decision behind a refusal in an app's log
  decisions --follow --json        new ones too as they are made, a JSON object a line
"""


def add_decisions_command(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--follow", action="store_true", help="new decisions too, until Ctrl-C")
    parser.add_argument("--refused", action="store_true", help="only refusals")
    parser.add_argument(
        "--request",
        metavar="ID",
        type=_plain,
        help="only the decision on this request",
    )
    parser.add_argument("--json", action="store_true", help="the full records, as JSON")
    parser.set_defaults(command=_show)


def line(one: Mapping[str, object]) -> str:
    """Return a decision as a line for people."""
    verdict = "allowed" if one["allowed"] else "REFUSED"
    who = f"{one['app'] or '?':<9} {one['identity'] or '?':<13}"
    what = f"{_short(one['action']):<15} {one['object']}"
    request = f"  request {one['request']}" if one["request"] else ""
    probe = "  (audit)" if one["probe"] else ""
    at = str(one["at"]).partition("+")[0]
    return f"{one['n']:>6}  {at}  {verdict}  {who} {what}: {one['because']}{request}{probe}"


def _show(options: argparse.Namespace) -> int:
    found = False
    try:
        for one in _all(options.folder, follow=options.follow):
            if _wanted(one, options):
                found = True
                print(json.dumps(one) if options.json else line(one), flush=True)
    except KeyboardInterrupt:
        return 130
    if not found:
        notify("no such decision is in the audit log")
    # With an id the exit code says whether there is such a decision.
    return 1 if options.request and not found else 0


def _all(folder: Path, *, follow: bool) -> Iterator[Mapping[str, object]]:
    client, after = Client(folder), 0
    while True:
        page = client.control("GET", f"/decisions?after={after}&limit={_PAGE}")
        decisions = page.get("decisions") if isinstance(page, dict) else None
        if not isinstance(page, dict) or not isinstance(decisions, list):
            raise RequestRefusedError("the cloud sent an answer of an unknown form")
        if page["dropped"]:
            notify(f"{page['dropped']} older ones are no longer in the audit log")
        for one in decisions:
            yield one
            after = one["n"]
        if len(decisions) == _PAGE:
            continue
        if not follow:
            return
        time.sleep(_POLL)


def _wanted(one: Mapping[str, object], options: argparse.Namespace) -> bool:
    if options.refused and one["allowed"]:
        return False
    return not options.request or _plain(str(one["request"] or "")) == options.request


def _plain(request_id: str) -> str:
    """Return a request id without what only some logs add: dashes, and parts of Service Bus."""
    return request_id.strip().lower().partition("_")[0].replace("-", "").removeprefix("trackingid:")


def _short(action: object) -> str:
    """Return the last two parts of a data action: keys/encrypt, messages/send."""
    words = str(action or "-").removesuffix("/action").split("/")
    return "/".join(words[-2:])
