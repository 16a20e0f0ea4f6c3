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
    kinds = Counter(map(kind, deployment.ignored))
    ignored = ", ".join(f"{name} ({count})" for name, count in kinds.items())
    lines = wrap(
        f"{'ignored':<{_COLUMN}}without effect on this machine: {ignored}",
        _COLUMNS,
        subsequent_indent=" " * _COLUMN,
        break_on_hyphens=False,
    )
    for name, address in client.endpoints.items():
        if isinstance(address, Mapping):
            lines += [f"{name:<{_COLUMN}}{inner}: {url}" for inner, url in address.items()]
        else:
            lines.append(f"{name:<{_COLUMN}}{address}")
    return "\n".join(lines)


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
