"""Where everything in a cloud is, and the first commands to try there."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from local.cli.client import Client
from local.deployment.resource_id import kind
from local.deployment.resources import Deployment
from local.runtime.apps import ROOT

_COLUMNS = 80
_COLUMN = 13  # where the addresses begin


def addresses(client: Client, deployment: Deployment) -> str:
    """Return the endpoints, a line each, and what of the deployment has no effect here."""
    lines = [
        *_listed("ignored", "without effect on this machine", deployment.ignored),
        *_listed("not served", "of the deployment, not on this machine", deployment.unserved),
    ]
    if deployment.unknown_roles:
        roles = ", ".join(deployment.unknown_roles)
        lines += _wrapped("roles", f"unknown here, so that they grant nothing: {roles}")
    for name, address in client.endpoints.items():
        if isinstance(address, Mapping):
            lines += [f"{name:<{_COLUMN}}{inner}: {url}" for inner, url in address.items()]
        else:
            lines.append(f"{name:<{_COLUMN}}{address}")
    return "\n".join(lines)


def _listed(head: str, what: str, resource_ids: Sequence[str]) -> Sequence[str]:
    if not resource_ids:
        return []
    kinds = Counter(map(kind, resource_ids))
    return _wrapped(
        head, f"{what}: {', '.join(f'{one} ({count})' for one, count in kinds.items())}"
    )


def _wrapped(head: str, text: str) -> Sequence[str]:
    indent = " " * _COLUMN
    return wrap(
        f"{head:<{_COLUMN}}{text}", _COLUMNS, subsequent_indent=indent, break_on_hyphens=False
    )


def curl_commands(client: Client, folder: Path, *, keys: bool) -> Sequence[str]:
    """Return commands for a shell in the project's folder: one sends a message, one shows it."""
    python = Path(sys.executable)
    program = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    command = f"{shlex.quote(str(program))} -m local key"
    where = "" if folder == ROOT / ".local" else f" --folder {shlex.quote(str(folder))}"
    key = f' \\\n    -H "x-functions-key: $({command} sender{where})"' if keys else ""
    post = (
        "  curl -i --data-binary @README.md -H 'Content-Type: text/markdown'"
        f"{key} \\\n    {client.url('sender')}/api/messages"
    )
    received = (
        f"  curl --cacert {shlex.quote(client.url('ca'))} \\\n"
        f'    -H "Authorization: Bearer $({command} partner{where})" \\\n'
        f"    {client.url('partner')}/received"
    )
    return post, received
