"""Tables in the documents that are made from what the code declares.

`python -m checks.tables` says which are stale; `python -m checks.tables write` renews them.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.settings import APPS, AppName

_ROOT = Path(__file__).parent.parent


def settings() -> str:
    """Return the table of all settings, app by app."""
    rows: dict[str, tuple[list[AppName], str, str]] = {}
    for app, kind in APPS.items():
        for field in dataclasses.fields(kind):
            needed = field.default is dataclasses.MISSING
            default = "" if field.default is None else f"{field.default}"
            shown = "required" if needed else default.lower() or "none"
            row = rows.setdefault(field.metadata["name"], ([], field.metadata["meaning"], shown))
            row[0].append(app)
    lines = ["| setting | apps | meaning | default |", "|---|---|---|---|"]
    lines.append(
        "| `RELAY_APP` | all | which app this is: `sender`, `receiver` or `tracker` | required |"
    )
    for name, (apps, meaning, default) in sorted(
        rows.items(), key=lambda row: len(row[1][0]), reverse=True
    ):
        where = "all" if len(apps) == len(APPS) else ", ".join(apps)
        lines.append(f"| `{name}` | {where} | {meaning} | {default} |")
    return "\n".join(lines)


def grants() -> str:
    """Return the table of who may do what, from the declaration."""
    access = json.loads((_ROOT / "infra" / "access.json").read_text())
    named = (*access["identities"], *access["operators"])
    may: dict[str, list[str]] = {principal["name"]: [] for principal in named}
    for grant in access["keyGrants"]:
        operations = ", ".join(grant["operations"])
        may[grant["identity"]].append(f"{operations} with key `{grant['key']}`")
    for grant in access["secretGrants"]:
        may[grant["identity"]].append(f"get secret `{grant['secret']}`")
    for grant in access["queueGrants"]:
        may[grant["identity"]].append(f"{', '.join(grant['rights'])} on queue `{grant['queue']}`")
    lines = ["| identity | may | attached to |", "|---|---|---|"]
    outside = {operator["name"] for operator in access["operators"]}
    for name, things in may.items():
        apps = [app["name"] for app in access["apps"] if name in app["identities"]]
        where = "no app: people or programs outside" if name in outside else ", ".join(apps)
        lines.append(f"| `{name}` | {'; '.join(things)} | {where} |")
    return "\n".join(lines)


TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("README.md", "grants"): grants,
    ("README.md", "settings"): settings,
}


def renewed(text: str, name: str, table: str) -> str:
    """Return `text` with `table` between its two markers. Raises `ValueError` without them."""
    begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the markers {begin} and {end} must each stand there once")
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text)


def main(arguments: list[str]) -> int:
    """Check, or with `write` renew, every table."""
    stale = []
    for (document, name), table in TABLES.items():
        path = _ROOT / document
        text = path.read_text()
        new = renewed(text, name, table())
        if new != text:
            stale.append(f"{document}: the table of {name} is stale; run `make format`")
            if arguments == ["write"]:
                path.write_text(new)
    if arguments == ["write"]:
        return 0
    print("\n".join(stale) or f"tables: {len(TABLES)} up to date")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
