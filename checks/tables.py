"""Tables in the documents that are generated from what the code declares.

`python -m checks.tables` names the stale ones; `python -m checks.tables write` writes them anew.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import capacity_tables
from bench.figures import made_on, markdown
from checks import conformance, ledger_size, queue_sizes
from shared.settings.inventory import ACCESS_PREFIXES
from shared.settings.settings import APPS, AppName

_ROOT = Path(__file__).parent.parent


def settings() -> str:
    """Return the table of all settings, app by app."""
    rows: dict[str, tuple[list[AppName], str, str]] = {}
    for app, kind in APPS.items():
        for field in dataclasses.fields(kind):
            is_required = field.default is dataclasses.MISSING
            default = "" if field.default is None else f"{field.default}"
            shown = "required" if is_required else default.lower() or "none"
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
    for prefix, meaning in ACCESS_PREFIXES:
        lines.append(f"| `{prefix}*` | all | {meaning}, for `ops prove` | none |")
    return "\n".join(lines)


_SECRET_WORDS = {"getSecret": "get", "setSecret": "set", "readMetadata": "see the age of"}

_KEY_WORDS = {"rotate": "rotate", "update": "disable versions of", "read": "see versions of"}


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
    for grant in access["operatorSecretGrants"]:
        words = " and ".join(_SECRET_WORDS[operation] for operation in grant["operations"])
        may[grant["operator"]].append(f"{words} secret `{grant['secret']}`")
    for grant in access["operatorKeyGrants"]:
        words = " and ".join(_KEY_WORDS[operation] for operation in grant["operations"])
        may[grant["operator"]].append(f"{words} key `{grant['key']}`")
    for grant in access["queueGrants"]:
        may[grant["identity"]].append(f"{', '.join(grant['rights'])} on queue `{grant['queue']}`")
    for grant in access["scaleGrants"]:
        length = f"see the length of queues, to scale by `{grant['queue']}`"
        may[grant["identity"]].append(length)
    for package in access["packageGrants"]:
        may[package["identity"]].append(f"store the packages of `{package['storage']}`")
    lines = ["| identity | may | attached to |", "|---|---|---|"]
    outside = {operator["name"] for operator in access["operators"]}
    for name, rights in may.items():
        holders = [app["name"] for app in access["apps"] if name in app["identities"]]
        holders += [
            f"machine {machine['name']}"
            for machine in access["machines"]
            if name in machine["identities"]
        ]
        where = "no app: people or programs outside" if name in outside else ", ".join(holders)
        lines.append(f"| `{name}` | {'; '.join(rights)} | {where} |")
    for app, rights in _grants_of_apps(access).items():
        lines.append(f"| the app itself | {'; '.join(rights)} | {app} |")
    return "\n".join(lines)


def _grants_of_apps(access: Mapping[str, list[dict[str, str]]]) -> Mapping[str, list[str]]:
    """Return what each app may do as itself, under its system-assigned identity."""
    may: dict[str, list[str]] = {app["name"]: [] for app in access["apps"]}
    for grant in access["storageGrants"]:
        may[grant["app"]].append(f"own the blobs of storage account `{grant['storage']}`")
    for grant in access["telemetryGrants"]:
        may[grant["app"]].append("send telemetry")
    return may


def layers() -> str:
    """Return which package may import which, from the contracts of import-linter."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    lines = ["| in | layers: each imports only those to its right |", "|---|---|"]
    for contract in project["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers":
            below = ", ".join(f"`{layer.replace(' | ', '` or `')}`" for layer in contract["layers"])
            lines.append(f"| `{contract['containers'][0]}` | {below} |")
    return "\n".join(lines)


def figures() -> str:
    """Return the table of `make bench`, from what it wrote last."""
    results = json.loads((_ROOT / "bench" / "results.json").read_text())
    return f"{made_on(results)}\n\n{markdown(results['rows'])}"


TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("docs/settings.md", "settings"): settings,
    ("docs/deploying.md", "grants"): grants,
    ("docs/deploying.md", "queue sizes"): lambda: queue_sizes.table(queue_sizes.Load()),
    ("docs/architecture.md", "layers"): layers,
    ("docs/conformance.md", "conformance"): conformance.table,
    ("docs/operating.md", "ledger"): ledger_size.table,
    ("docs/performance.md", "figures"): figures,
    ("docs/scaling.md", "inputs"): capacity_tables.inputs,
    ("docs/scaling.md", "message"): capacity_tables.per_message,
    ("docs/scaling.md", "limits"): capacity_tables.one_deployment,
    ("docs/scaling.md", "plans"): capacity_tables.plans,
    ("docs/scaling.md", "million"): capacity_tables.per_million,
}


def renewed(text: str, name: str, table: str) -> str:
    """Return `text` with `table` between its two markers. Raises `ValueError` without them."""
    begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(
            f"the markers {begin} and {end} must be in the document once, in this order"
        )
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
