"""The managed identity endpoint of App Service: an app asks here for tokens of its identities."""

from __future__ import annotations

import hmac
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from aiohttp import web

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.program import is_probe
from local.deployment.resource_id import normal
from local.deployment.resources import Identity
from local.identity.tokens import Token, TokenIssuer

_LOG = logging.getLogger(__name__)
_PATH = "/msi/token"
_API_VERSION = "2019-08-01"
# How a request may name one of several identities.
_SELECTORS = ("client_id", "principal_id", "object_id", "mi_res_id")
# The services that these deployments talk to.
RESOURCES = frozenset(
    {
        "https://vault.azure.net",
        "https://servicebus.azure.net",
        "https://storage.azure.com",
        "https://monitor.azure.com",
        "https://management.azure.com",
        "https://ossrdbms-aad.database.windows.net",
    }
)
HARMLESS = re.compile(r"[\x21-\x7e]{1,200}")


class Caller(Protocol):
    """Who may ask for tokens: an app, a machine, or an operator outside."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Identities that it gets by naming them."""

    @property
    def system_identity(self) -> Identity | None:
        """The identity that it gets without naming any."""


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _UnknownCallerError(_RefusedError):
    """It comes from no app."""


class _NotAttachedError(_RefusedError):
    """The app has no identity of the id `selected`; no system-assigned one, for None."""

    def __init__(self, selected: str | None) -> None:
        # Attached to another app or not existing at all: the answer does not tell which.
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

    `audit_log` is told who got a token of what, and who did not.
    Source: "How to use managed identities for App Service and Azure Functions", REST endpoint
    reference, api-version 2019-08-01.
    """
    kept = audit_log or AuditLog()

    async def token(request: web.Request) -> web.Response:
        probe = is_probe(request.headers.get("User-Agent"))
        asker = Requester(request_id=str(uuid.uuid4()), probe=probe)
        try:
            caller = _asking(request, callers)
            asker = replace(asker, app=caller.name)
            identity, resource = _asked(request, caller)
        except _RefusedError as refused:
            _keep(kept, asker, refused)
            return _refusal(refused, asker)
        token = issuer.issue(identity, resource, caller.name)
        kept.token_issued(replace(asker, principal_id=identity.principal_id), identity.resource_id)
        _LOG.debug("token for %s of %s for %s", identity.name, caller.name, resource)
        return web.json_response(_answer(token), headers=NOT_KEPT)

    application = web.Application(client_max_size=1024)
    application.router.add_get(_PATH, token)
    return application


# A token must not end up in any cache.
NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def _answer(token: Token) -> dict[str, str]:
    return {
        "access_token": token.value,
        "expires_on": str(token.expires_on),
        "expires_in": str(token.expires_in),
        "resource": token.resource,
        "token_type": "Bearer",
        "client_id": token.client_id,
    }


def _keep(audit_log: AuditLog, asker: Requester, refused: _RefusedError) -> None:
    # What is wrong with the request itself is no decision about who may do what.
    if isinstance(refused, _UnknownCallerError):
        audit_log.refused("identity", asker, "token", "", "the secret header of an app")
    elif isinstance(refused, _NotAttachedError):
        audit_log.gave_no_token(asker, refused.selected)


def _asked(request: web.Request, caller: Caller) -> tuple[Identity, str]:
    if request.query.get("api-version") != _API_VERSION:
        raise _RefusedError(400, f"The api-version must be {_API_VERSION}.")
    resource = _resource(request)
    return _identity(request, caller), resource


def _asking(request: web.Request, callers: Mapping[str, Caller]) -> Caller:
    # The header proves that the request comes from inside the app: a URL that someone talks the
    # app into fetching (SSRF) does not carry it.
    header = request.headers.get("X-IDENTITY-HEADER")
    if not header:
        raise _UnknownCallerError(401, "The header X-IDENTITY-HEADER is missing.")
    given = header.encode("utf-8", "surrogateescape")
    found = None
    for secret, caller in callers.items():
        # All are compared, each in constant time, so that timing tells nothing of any secret.
        if hmac.compare_digest(secret.encode(), given):
            found = caller
    if found is None:
        raise _UnknownCallerError(403, "The header X-IDENTITY-HEADER is not valid.")
    return found


def _resource(request: web.Request) -> str:
    resource = request.query.get("resource", "")
    if not resource:
        raise _RefusedError(400, "The parameter 'resource' is missing.")
    if resource.rstrip("/").lower() not in RESOURCES:
        named = resource if HARMLESS.fullmatch(resource) else "asked for"
        raise _RefusedError(
            400,
            f"AADSTS500011: The resource principal named {named} was not found in the tenant.",
        )
    return resource


def _identity(request: web.Request, caller: Caller) -> Identity:
    selected = [name for name in _SELECTORS if request.query.get(name)]
    if len(selected) > 1:
        raise _RefusedError(400, f"Only one of {', '.join(_SELECTORS)} may be given.")
    value = request.query[selected[0]] if selected else None
    found = caller.system_identity if value is None else attached(caller, selected[0], value)
    if found is None:
        raise _NotAttachedError(value)
    return found


def attached(caller: Caller, selector: str, value: str) -> Identity | None:
    """Find one of the caller's identities by what the selector names."""
    own: tuple[Identity, ...] = (caller.system_identity,) if caller.system_identity else ()
    for identity in (*caller.identities, *own):
        if selector == "client_id":
            candidate = identity.client_id
        elif selector in ("mi_res_id", "msi_res_id"):
            candidate = identity.resource_id
        else:
            candidate = identity.principal_id
        if normal(candidate) == normal(value):
            return identity
    return None


def _refusal(refused: _RefusedError, asker: Requester) -> web.Response:
    body = {
        "statusCode": refused.status,
        "message": refused.message,
        "correlationId": asker.request_id,
    }
    return web.json_response(body, status=refused.status, headers=NOT_KEPT)
