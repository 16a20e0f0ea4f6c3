"""The Instance Metadata Service of one machine: whatever runs there asks here for tokens.

In Azure the network of the host tells which machine asks. Here each machine has a port of its own
on loopback, and who comes to that port is on that machine.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

from aiohttp import web
from aiohttp.typedefs import Handler

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.program import is_probe
from local.deployment.resources import Identity
from local.identity.endpoint import HARMLESS, NOT_KEPT, RESOURCES, Caller, attached
from local.identity.tokens import Token, TokenIssuer

_PATH = "/metadata/identity/oauth2/token"
_FIRST_VERSION = "2018-02-01"
_VERSION = re.compile(r"20\d\d-\d\d-\d\d")
_SELECTORS = ("client_id", "object_id", "msi_res_id")


class _RefusedError(Exception):
    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


class _NoIdentityError(_RefusedError):
    """There is none of the id `selected`, or none that is meant without one."""

    def __init__(self, description: str, selected: str | None) -> None:
        super().__init__(400, "invalid_request", description)
        self.selected = selected


def imds_endpoint(
    issuer: TokenIssuer, machine: Callable[[], Caller], audit_log: AuditLog | None = None
) -> web.Application:
    """Return the endpoint, at `/metadata/identity/oauth2/token`, of what `machine` gives.

    `audit_log` is told who got a token of what, and who did not.
    Sources: "How to use managed identities for Azure resources on an Azure VM to acquire an access
    token" and "Azure Instance Metadata Service"; what these leave open is worded as clients of the
    service have seen it. That a machine asks too often (429) or that the service is being updated
    (404, 410) happens here only as a fault that is asked for.
    """
    kept = audit_log or AuditLog()

    async def token(request: web.Request) -> web.Response:
        probe = is_probe(request.headers.get("User-Agent"))
        caller = machine()
        asker = Requester(request_id=str(uuid.uuid4()), probe=probe, app=caller.name)
        try:
            identity, resource = _asked(request, caller, issuer.tenant_id)
        except _NoIdentityError as refused:
            kept.gave_no_token(asker, refused.selected)
            raise
        given = issuer.issue(identity, resource, caller.name)
        kept.token_issued(replace(asker, principal_id=identity.principal_id), identity.resource_id)
        return web.json_response(_answer(given), headers=NOT_KEPT)

    application = web.Application(middlewares=[_tell], client_max_size=1024)
    for path in (_PATH, f"{_PATH}/"):
        application.router.add_get(path, token, allow_head=False)
    return application


def error(status: int, name: str, description: str) -> web.Response:
    """Answer as the service does where something is wrong."""
    body = {"error": name, "error_description": description}
    return web.json_response(body, status=status, headers=NOT_KEPT)


@web.middleware
async def _tell(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _check_headers(request)
        return await handler(request)
    except _RefusedError as refused:
        return error(refused.status, refused.error, refused.description)
    except web.HTTPNotFound:
        return error(404, "not_found", "There is nothing at this path.")
    except web.HTTPMethodNotAllowed:
        return error(405, "method_not_allowed", "Only GET is supported.")


def _check_headers(request: web.Request) -> None:
    # Who makes a program on the machine fetch a URL (SSRF) cannot make it send this header; and
    # what a proxy passes on does not come from the machine.
    if request.headers.get("Metadata") != "true":
        raise _RefusedError(400, "invalid_request", "Required metadata header not specified")
    if "X-Forwarded-For" in request.headers:
        raise _RefusedError(400, "invalid_request", "A request must not have been forwarded")


def _asked(request: web.Request, caller: Caller, tenant: str) -> tuple[Identity, str]:
    query = request.query
    if len(set(query)) != len(query):
        raise _RefusedError(400, "invalid_request", "A parameter is given more than once")
    _check_version(query.get("api-version", ""))
    resource = query.get("resource", "")
    if not resource:
        raise _RefusedError(400, "invalid_request", "Required audience parameter not specified")
    if resource.rstrip("/").lower() not in RESOURCES:
        named = resource if HARMLESS.fullmatch(resource) else "asked for"
        raise _RefusedError(
            400,
            "invalid_resource",
            f"AADSTS500011: The resource principal named {named} was not found in the tenant "
            f"named {tenant}.",
        )
    return _identity(query, caller), resource


def _check_version(version: str) -> None:
    if not (_VERSION.fullmatch(version) and version >= _FIRST_VERSION):
        raise _RefusedError(
            400,
            "invalid_request",
            "Bad request. api-version is invalid or was not specified in the request.",
        )


def _identity(query: Mapping[str, str], caller: Caller) -> Identity:
    selected = [name for name in _SELECTORS if query.get(name)]
    if len(selected) > 1:
        raise _RefusedError(
            400, "invalid_request", f"Only one of {', '.join(_SELECTORS)} is possible"
        )
    if selected:
        value = query[selected[0]]
        found = attached(caller, selected[0], value)
        if found is None:
            # On another machine or not existing at all: the answer does not tell which.
            raise _NoIdentityError("Identity not found", value)
        return found
    if caller.system_identity is not None:
        return caller.system_identity
    if len(caller.identities) > 1:
        raise _NoIdentityError(
            "Multiple user assigned identities exist, please specify the clientId / resourceId "
            "of the identity in the token request",
            None,
        )
    if not caller.identities:
        raise _NoIdentityError("Identity not found", None)
    return caller.identities[0]


def _answer(token: Token) -> dict[str, str]:
    return {
        "access_token": token.value,
        "client_id": token.client_id,
        "expires_in": str(token.expires_in),
        "expires_on": str(token.expires_on),
        "ext_expires_in": str(token.expires_in),
        "not_before": str(token.expires_on - token.expires_in),
        "resource": token.resource,
        "token_type": "Bearer",
    }
