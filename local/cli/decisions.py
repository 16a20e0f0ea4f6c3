"""The command `decisions`: the audit log, who was allowed or refused what, and why."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.cli.client import Client, RequestRefusedError
from local.cli.command_line import count
from local.cli.output import notify

_PAGE = 1000
_POLL = 0.5  # seconds
_COLUMNS = 100
_EXAMPLES = """examples:
  decisions --refused              refusals only
  decisions 17                     number 17 in full: its grant, or what would have allowed it
  decisions --request 3f0c...      the decision behind a refusal in an app's log, in full
  decisions --follow --json        new ones too as they are made, a JSON object a line
"""


def add_decisions_command(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("number", metavar="N", nargs="?", type=count, help="only this one, in full")
    parser.add_argument("--follow", action="store_true", help="new decisions too, until Ctrl-C")
    parser.add_argument("--refused", action="store_true", help="only refusals")
    parser.add_argument(
        "--request",
        metavar="ID",
        type=_plain,
        help="only the decision on this request, in full",
    )
    parser.add_argument("--proof", action="store_true", help="the access audit's own tries as well")
    parser.add_argument("--json", action="store_true", help="the full records, as JSON")
    parser.set_defaults(command=_show)


def line(one: Mapping[str, object]) -> str:
    """Return a decision as a line of at most 100 columns."""
    verdict = "allowed" if one["allowed"] else "REFUSED"
    at = str(one["at"])[11:19]
    who = f"{one['app'] or '?':<8} {one['identity'] or '?':<13}"
    probe = "(audit) " if one["probe"] else ""
    what = f"{_short(one['action']):<16} {one['object']}: {probe}{one['because']}"
    whole = f"{one['n']:>5} {at} {verdict} {who} {what}"
    return whole if len(whole) <= _COLUMNS else f"{whole[: _COLUMNS - 1]}…"


def full(one: Mapping[str, object]) -> str:
    """Return all of a decision, a line for each part."""
    parts = {
        "number": one["n"],
        "at": one["at"],
        "verdict": "allowed" if one["allowed"] else "REFUSED",
        "app": one["app"] or "unknown",
        "identity": one["identity"] or "unknown",
        "action": one["action"] or "-",
        "object": one["object"],
        "because": one["because"],
        "request": one["request"] or "-",
        "access audit": "yes, one of its tries" if one["probe"] else "no",
    }
    return "\n".join(f"{name:<13}{value}" for name, value in parts.items())


def _show(options: argparse.Namespace) -> int:
    found = False
    is_one = options.request is not None or options.number is not None
    shown = full if is_one else line
    try:
        for one in _all(options.folder, follow=options.follow):
            if _wanted(one, options):
                found = True
                print(json.dumps(one) if options.json else shown(one), flush=True)
    except KeyboardInterrupt:
        return 130
    if not found:
        notify("no such decision is in the audit log")
    # With an id the exit code says whether there is such a decision.
    return 1 if is_one and not found else 0


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
    if options.number is not None:
        return bool(one["n"] == options.number)
    # A request that is asked for by its id is shown, whoever made it.
    if one["probe"] and not options.proof and not options.request:
        return False
    return not options.request or _plain(str(one["request"] or "")) == options.request


def _plain(request_id: str) -> str:
    """Return a request id without what only some logs add: dashes, and parts of Service Bus."""
    return request_id.strip().lower().partition("_")[0].replace("-", "").removeprefix("trackingid:")


def _short(action: object) -> str:
    """Return the last two parts of a data action: keys/encrypt, messages/send."""
    words = str(action or "-").removesuffix("/action").split("/")
    return "/".join(words[-2:])
