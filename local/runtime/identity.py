"""The identity endpoint of a cloud, and the secret headers by which it recognizes callers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack

from local.bus.security.identity_keys import IdentityKey
from local.deployment.resources import AppSpec, Deployment, Operator, Program
from local.identity.endpoint import token_endpoint
from local.net.folder import Folder
from local.net.serving import serve
from local.runtime.context import ServiceContext
from local.runtime.fault_middleware import identity_faults

_PORT = 7080
_KEYS_FILE = "bus-keys.json"
Caller = AppSpec | Operator | Program
Callers = Mapping[str, Caller]
"""The apps, operators and programs of a deployment, by their secret headers."""


def new_callers(deployment: Deployment) -> dict[str, Caller]:
    """Make an IDENTITY_HEADER for each: whoever knows it can get the tokens of that one caller."""
    callers: tuple[Caller, ...] = (*deployment.apps, *deployment.operators, *deployment.programs())
    return {secrets.token_urlsafe(32): caller for caller in callers}


def replace_callers(callers: dict[str, Caller], deployment: Deployment) -> None:
    """Let each caller be the one of its name in another deployment; the headers stay."""
    by_name = {(type(one), one.name): one for one in new_callers(deployment).values()}
    for header, caller in callers.items():
        callers[header] = by_name[type(caller), caller.name]


def identity_keys(deployment: Deployment, folder: Folder) -> Mapping[str, IdentityKey]:
    """Return a key for each identity and operator, by its name; a folder keeps the keys."""
    kept = json.loads(folder.kept(_KEYS_FILE, lambda: "{}").read_text())
    holders: tuple[Program | Operator, ...] = (*deployment.programs(), *deployment.operators)
    keys = {
        one.name: IdentityKey(
            one.identity.principal_id, kept.get(one.name) or secrets.token_urlsafe(32)
        )
        for one in holders
    }
    folder.write_private(
        _KEYS_FILE, json.dumps({name: one.key for name, one in keys.items()}, indent=2)
    )
    return keys


async def start_identity(stack: AsyncExitStack, context: ServiceContext, callers: Callers) -> str:
    """Serve the endpoint until the stack ends; return its URL."""
    app = token_endpoint(context.issuer, callers, context.audit_log)
    app.middlewares.append(identity_faults(context.faults))
    return await serve(stack, app, context.ports.bind("identity", _PORT))
