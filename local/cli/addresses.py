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
_COLUMN = 16  # where the addresses begin


def addresses(client: Client, deployment: Deployment) -> str:
    """Return the endpoints, a line each, and last what of the deployment has no effect here."""
    lines = []
    for name, address in client.endpoints.items():
        if isinstance(address, Mapping):
            lines += [f"{name:<{_COLUMN}}{inner}: {url}" for inner, url in address.items()]
        else:
            lines.append(f"{name:<{_COLUMN}}{address}")
    if left_out := _left_out(deployment):
        lines += ["", *left_out]
    return "\n".join(lines)


def _left_out(deployment: Deployment) -> list[str]:
    """Sum up what is not here: nobody needs the list to go on."""
    lines = [
        *_summed("have no effect on this machine", deployment.ignored, by_type=False),
        *_summed("are of the deployment and not served here", deployment.unserved, by_type=True),
    ]
    if deployment.unknown_roles:
        roles = ", ".join(deployment.unknown_roles)
        lines += _wrapped(f"roles that are unknown here, so that they grant nothing: {roles}")
    return lines


def _summed(what: str, resource_ids: Sequence[str], *, by_type: bool) -> Sequence[str]:
    """Name the types of resources, or where they do not matter only their providers."""
    if not resource_ids:
        return []
    kinds = map(kind, resource_ids)
    counts = Counter(one if by_type else one.partition("/")[0] for one in kinds)
    named = ", ".join(f"{name} ({count})" for name, count in counts.items())
    return _wrapped(f"{len(resource_ids)} resources {what}: {named}")


def _wrapped(text: str) -> Sequence[str]:
    return wrap(text, _COLUMNS, break_on_hyphens=False)


def curl_commands(client: Client, folder: Path, *, keys: bool) -> Sequence[str]:
    """Return commands for a shell in the project's folder: one sends a message, one shows it.

    None where the deployment, that of another project, has no sender.
    """
    if "sender" not in client.endpoints:
        return ()
    key = ""
    if keys:
        key = f' \\\n    -H "x-functions-key: $({shell_command(folder, "key", "sender")})"'
    post = (
        "  curl -i --data-binary @README.md -H 'Content-Type: text/markdown'"
        f"{key} \\\n    {client.url('sender')}/api/messages"
    )
    received = f"  {shell_command(folder, 'received')}"
    return post, received
