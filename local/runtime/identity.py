"""The identity endpoint of a cloud, and the secret headers by which it recognizes callers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack

from local.deployment.resources import AppSpec, Deployment, Operator, Program
from local.identity.endpoint import token_endpoint
from local.net.serving import serve
from local.runtime.context import ServiceContext
from local.runtime.fault_middleware import identity_faults

_PORT = 7080
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


async def start_identity(stack: AsyncExitStack, context: ServiceContext, callers: Callers) -> str:
    """Serve the endpoint until the stack ends; return its URL."""
    app = token_endpoint(context.issuer, callers, context.audit_log)
    app.middlewares.append(identity_faults(context.faults))
    return await serve(stack, app, context.ports.bind("identity", _PORT))
