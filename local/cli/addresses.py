"""Where everything in a cloud is, and the first commands to try there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from local.cli.client import Client
from local.deployment.resource_id import kind
from local.deployment.resources import Deployment
from local.net.folder import shell_command

_COLUMNS = 80
_COLUMN = 13  # where the addresses begin


def addresses(client: Client, deployment: Deployment) -> str:
    """Return the endpoints, a line each, and last what of the deployment has no effect here."""
    lines = []
    for name, address in client.endpoints.items():
        if isinstance(address, Mapping):
            lines += [f"{name:<{_COLUMN}}{inner}: {url}" for inner, url in address.items()]
        else:
            lines.append(f"{name:<{_COLUMN}}{address}")
    if deployment.ignored:
        lines += ["", *_ignored(deployment)]
    return "\n".join(lines)


def _ignored(deployment: Deployment) -> list[str]:
    """Sum up by provider what is for Azure alone: nobody needs the list to go on."""
    providers = Counter(kind(one).partition("/")[0] for one in deployment.ignored)
    named = ", ".join(f"{name} ({count})" for name, count in providers.items())
    text = f"{len(deployment.ignored)} resources have no effect on this machine: {named}"
    return wrap(text, _COLUMNS, break_on_hyphens=False)


def curl_commands(client: Client, folder: Path, *, keys: bool) -> Sequence[str]:
    """Return commands for a shell in the project's folder: one sends a message, one shows it."""
    key = ""
    if keys:
        key = f' \\\n    -H "x-functions-key: $({shell_command(folder, "key", "sender")})"'
    post = (
        "  curl -i --data-binary @README.md -H 'Content-Type: text/markdown'"
        f"{key} \\\n    {client.url('sender')}/api/messages"
    )
    received = f"  {shell_command(folder, 'received')}"
    return post, received
