"""The managed identity endpoint of App Service: an app gets tokens of its identities here."""

from __future__ import annotations

import hmac
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

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

_LOG = logging.getLogger(__name__)
_PATH = "/msi/token"
_API_VERSION = "2019-08-01"
# The parameters by which a request may select one of several identities.
_SELECTORS = ("client_id", "principal_id", "object_id", "mi_res_id")
_OTHERS = ("api-version", "resource")


class _TokenRefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _UnknownCallerError(_TokenRefusedError):
    """The request does not come from an app."""


class _NotAttachedError(_TokenRefusedError):
    """The app has no identity of the id `selected`; no system-assigned one, for None."""

    def __init__(self, selected: str | None) -> None:
        # Attached to another app or not existing at all: the answer does not show which.
        super().__init__(
            400,
            "No User Assigned or Delegated Managed Identity found for specified "
            "ClientId/ResourceId/PrincipalId.",
        )
        self.selected = selected


def token_endpoint(
    issuer: TokenIssuer, callers: Mapping[str, Caller], audit_log: AuditLog | None = None
) -> web.Application:
    """Return the endpoint, at `/msi/token`, for callers by their secret X-IDENTITY-HEADER.

    `audit_log` records who got a token of which identity, and who did not.
    Source: "How to use managed identities for App Service and Azure Functions", REST endpoint
    reference, api-version 2019-08-01.
    """
    log = audit_log or AuditLog()

    async def token(request: web.Request) -> web.Response:
        probe = is_probe(request.headers.get("User-Agent"))
        requester = Requester(request_id=str(uuid.uuid4()), probe=probe)
        try:
            caller = _caller(request, callers)
            requester = replace(requester, app=caller.name)
            identity, resource = _parsed(request, caller)
        except _TokenRefusedError as refused:
            _record(log, requester, refused)
            return _refusal(refused, requester)
        token = issuer.issue(identity, resource, caller.name)
        log.token_issued(
            replace(requester, principal_id=identity.principal_id), identity.resource_id
        )
        _LOG.debug("token for %s of %s for %s", identity.name, caller.name, resource)
        return web.json_response(_answer(token), headers=NO_CACHE)

    application = web.Application(client_max_size=1024)
    application.router.add_get(_PATH, token)
    return application


def _answer(token: Token) -> dict[str, str]:
    return {
        "access_token": token.value,
        "expires_on": str(token.expires_on),
        "expires_in": str(token.expires_in),
        "resource": token.resource,
        "token_type": "Bearer",
        "client_id": token.client_id,
    }


def _record(audit_log: AuditLog, requester: Requester, refused: _TokenRefusedError) -> None:
    # A malformed request is not a decision about who may do what.
    if isinstance(refused, _UnknownCallerError):
        audit_log.refused("identity", requester, "token", "", "the secret header of an app")
    elif isinstance(refused, _NotAttachedError):
        audit_log.token_refused(requester, refused.selected)


def _parsed(request: web.Request, caller: Caller) -> tuple[Identity, str]:
    if request.query.get("api-version") != _API_VERSION:
        raise _TokenRefusedError(400, f"The api-version must be {_API_VERSION}.")
    resource = _resource(request)
    return _identity(request, caller), resource


def _caller(request: web.Request, callers: Mapping[str, Caller]) -> Caller:
    # The header proves that the request comes from inside the app: a URL that somebody makes the
    # app fetch (SSRF) does not carry it.
    header = request.headers.get("X-IDENTITY-HEADER")
    if not header:
        raise _UnknownCallerError(401, "The header X-IDENTITY-HEADER is missing.")
    given = header.encode("utf-8", "surrogateescape")
    found = None
    for secret, caller in callers.items():
        # All are compared, each in constant time, so that timing reveals nothing of any secret.
        if hmac.compare_digest(secret.encode(), given):
            found = caller
    if found is None:
        raise _UnknownCallerError(403, "The header X-IDENTITY-HEADER is not valid.")
    return found


def _resource(request: web.Request) -> str:
    resource = request.query.get("resource", "")
    if not resource:
        raise _TokenRefusedError(400, "The parameter 'resource' is missing.")
    if not is_known(resource):
        raise _TokenRefusedError(
            400,
            f"AADSTS500011: The resource principal named {shown(resource)} was not found in the "
            "tenant.",
        )
    return resource


def _identity(request: web.Request, caller: Caller) -> Identity:
    try:
        chosen = selection(list(request.query.items()), _SELECTORS, _OTHERS)
    except SelectionError as error:
        raise _TokenRefusedError(400, str(error)) from None
    found = caller.system_identity if chosen is None else selected_identity(caller, *chosen)
    if found is None:
        raise _NotAttachedError(chosen[1] if chosen else None)
    return found


def _refusal(refused: _TokenRefusedError, requester: Requester) -> web.Response:
    body = {
        "statusCode": refused.status,
        "message": refused.message,
        "correlationId": requester.request_id,
    }
    return web.json_response(body, status=refused.status, headers=NO_CACHE)
