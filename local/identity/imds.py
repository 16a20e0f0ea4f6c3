"""The Instance Metadata Service of one machine: whatever runs there gets its tokens here.

In Azure the network of the host shows which machine a request comes from. Here each machine has a
port of its own on loopback, and a request to that port counts as one from that machine.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from aiohttp import web
from aiohttp.typedefs import Handler

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.program import is_probe
from local.deployment.resources import Identity
from local.identity.audiences import is_known
from local.identity.token_request import (
    NO_CACHE,
    Caller,
    SelectionError,
    selected_identity,
    selection,
    shown,
)
from local.identity.tokens import Token, TokenIssuer

_PATH = "/metadata/identity/oauth2/token"
_FIRST_VERSION = "2018-02-01"
_VERSION = re.compile(r"20\d\d-\d\d-\d\d")
_SELECTORS = ("client_id", "object_id", "msi_res_id", "mi_res_id")
_OTHERS = ("api-version", "resource")


class _MetadataError(Exception):
    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


class _NoIdentityError(_MetadataError):
    """The machine has no identity of the id `selected`, or no unambiguous one without an id."""

    def __init__(self, description: str, selected: str | None) -> None:
        super().__init__(400, "invalid_request", description)
        self.selected = selected


def imds_endpoint(
    issuer: TokenIssuer, machine: Callable[[], Caller], audit_log: AuditLog | None = None
) -> web.Application:
    """Return the endpoint, at `/metadata/identity/oauth2/token`, of what `machine` gives.

    `audit_log` records who got a token of which identity, and who did not.
    Sources: "How to use managed identities for Azure resources on an Azure VM to acquire an access
    token" and "Azure Instance Metadata Service"; what these leave open is worded as clients of the
    service have seen it. Throttling (429) and updates of the service (404, 410) happen here only
    as faults.
    """
    log = audit_log or AuditLog()

    async def token(request: web.Request) -> web.Response:
        probe = is_probe(request.headers.get("User-Agent"))
        caller = machine()
        requester = Requester(request_id=str(uuid.uuid4()), probe=probe, app=caller.name)
        try:
            identity, resource = _parsed(request, caller, issuer.tenant_id)
        except _NoIdentityError as refused:
            log.token_refused(requester, refused.selected)
            raise
        given = issuer.issue(identity, resource, caller.name)
        log.token_issued(
            replace(requester, principal_id=identity.principal_id), identity.resource_id
        )
        return web.json_response(_answer(given), headers=NO_CACHE)

    application = web.Application(middlewares=[_answer_errors], client_max_size=1024)
    for path in (_PATH, f"{_PATH}/"):
        application.router.add_get(path, token, allow_head=False)
    return application


def error(status: int, name: str, description: str) -> web.Response:
    """Return an error in the form of the service."""
    body = {"error": name, "error_description": description}
    return web.json_response(body, status=status, headers=NO_CACHE)


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _check_headers(request)
        return await handler(request)
    except _MetadataError as refused:
        return error(refused.status, refused.error, refused.description)
    except web.HTTPNotFound:
        return error(404, "not_found", "There is nothing at this path.")
    except web.HTTPMethodNotAllowed:
        return error(405, "method_not_allowed", "Only GET is supported.")


def _check_headers(request: web.Request) -> None:
    # A URL that somebody makes a program on the machine fetch (SSRF) does not carry this header;
    # and what a proxy forwards does not come from the machine.
    if request.headers.get("Metadata") != "true":
        raise _MetadataError(400, "invalid_request", "Required metadata header not specified")
    if "X-Forwarded-For" in request.headers:
        raise _MetadataError(400, "invalid_request", "A request must not have been forwarded")


def _parsed(request: web.Request, caller: Caller, tenant: str) -> tuple[Identity, str]:
    query = request.query
    _check_version(query.get("api-version", ""))
    resource = query.get("resource", "")
    if not resource:
        raise _MetadataError(400, "invalid_request", "Required audience parameter not specified")
    if not is_known(resource):
        raise _MetadataError(
            400,
            "invalid_resource",
            f"AADSTS500011: The resource principal named {shown(resource)} was not found in the "
            f"tenant named {tenant}.",
        )
    return _identity(list(query.items()), caller), resource


def _check_version(version: str) -> None:
    if not (_VERSION.fullmatch(version) and version >= _FIRST_VERSION):
        raise _MetadataError(
            400,
            "invalid_request",
            "Bad request. api-version is invalid or was not specified in the request.",
        )


def _identity(parameters: Sequence[tuple[str, str]], caller: Caller) -> Identity:
    try:
        chosen = selection(parameters, _SELECTORS, _OTHERS)
    except SelectionError as error:
        raise _MetadataError(400, "invalid_request", str(error)) from None
    if chosen:
        found = selected_identity(caller, *chosen)
        if found is None:
            # On another machine or not existing at all: the answer does not show which.
            raise _NoIdentityError("Identity not found", chosen[1])
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
