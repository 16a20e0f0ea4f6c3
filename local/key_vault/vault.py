"""The data plane of a Key Vault over HTTP: authentication, authorization, and the errors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from aiohttp import web

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.authorization import Authorization, Decision
from local.authorization.program import is_probe
from local.deployment.resources import VaultSpec
from local.identity.tokens import Claims, InvalidTokenError, TokenIssuer
from local.key_vault import api_versions, paging
from local.key_vault.calls import Call
from local.key_vault.errors import (
    AUDIENCE,
    KeyVaultError,
    bad_parameter,
    forbidden,
    invalid_token,
    missing_token,
    name_in_use,
    no_such_operation,
    not_found,
    not_in_version,
)
from local.key_vault.handlers import handlers_of
from local.key_vault.objects import NameInUseError, ObjectNotFoundError
from local.key_vault.operations import Family, VaultRequest, parse
from local.key_vault.request_body import JsonObject, parse_object
from local.key_vault.response_headers import challenge, every_response
from local.key_vault.responses import ResponseBody
from local.key_vault.secret_handlers import OUT_CONTENT_TYPE
from local.key_vault.store import VaultStore
from local.net.request_body import BodyError, read_body

_LOG = logging.getLogger(__name__)
_API_VERSION = "api-version"
_LISTS = frozenset({"list", "versions", "listDeleted"})
_PARAMETERS: Mapping[tuple[Family, str], frozenset[str]] = {
    ("secrets", "get"): frozenset({OUT_CONTENT_TYPE}),
    **{
        (kind, name): frozenset({paging.SIZE, paging.TOKEN})
        for kind in ("keys", "secrets")
        for name in _LISTS
    },
}
_MAX_BODY = 64 * 1024
_MAX_BACKUP = 1024 * 1024
_BODY_ERRORS = {
    HTTPStatus.BAD_REQUEST: "BadParameter",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTimeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestEntityTooLarge",
}


def vault_app(
    spec: VaultSpec,
    store: VaultStore,
    issuer: TokenIssuer,
    authorization: Authorization,
    uri: str,
    audit_log: AuditLog | None = None,
) -> web.Application:
    """Return the vault, to be served over TLS at `uri`, `https://host:port/`.

    `audit_log` gets every decision, and what was used.
    Source: Azure Key Vault REST API reference, keys and secrets.
    """
    audit_log = audit_log or AuditLog()
    vault = _Vault(spec, store, issuer, authorization, uri.rstrip("/"), audit_log)
    application = web.Application(client_max_size=_MAX_BACKUP)
    application.router.add_route("*", "/{path:.*}", vault.serve)
    return application


class _Vault:
    def __init__(
        self,
        spec: VaultSpec,
        store: VaultStore,
        issuer: TokenIssuer,
        authorization: Authorization,
        uri: str,
        audit_log: AuditLog,
    ) -> None:
        self._spec = spec
        self._issuer = issuer
        self._authorization = authorization
        self._audit_log = audit_log
        self._uri = uri
        self._handlers = handlers_of(store, uri, spec)

    async def serve(self, request: web.Request) -> web.Response:
        """Respond to one request; whatever happens, in JSON and without internals."""
        request_id = str(uuid.uuid4())
        decision: Decision | None = None
        try:
            # In this order: nobody learns anything before the token is verified, nor whether an
            # object exists or an operation is served before its use is allowed.
            requester = Requester(
                request_id=request_id, probe=is_probe(request.headers.get("User-Agent"))
            )
            claims = self._authenticate(request, requester)
            requester = replace(requester, principal_id=claims.principal_id, app=claims.issued_to)
            requested = parse(request.method, request.rel_url.raw_path)
            decision = self._authorize(claims, requested, requester)
            answer = await self._execute(requested, request, requester)
            response = web.Response(status=204) if answer is None else web.json_response(answer)
        except KeyVaultError as error:
            response = self._error(error)
        except ObjectNotFoundError as error:
            response = self._error(not_found(error))
        except NameInUseError as error:
            response = self._error(name_in_use(error))
        except ConnectionError:
            raise  # by the client, in the middle of its request
        except Exception as error:  # noqa: BLE001 - the client must see nothing of what went wrong
            # The type only: an exception's text can hold what the request held.
            _LOG.error("vault %s: %s", self._spec.name, type(error).__name__)
            response = self._error(KeyVaultError(500, "InternalServerError", "Unexpected error."))
        response.headers.update(every_response(request, request_id, self._spec, decision))
        return response

    async def _execute(
        self, requested: VaultRequest, request: web.Request, requester: Requester
    ) -> ResponseBody | None:
        operation, resource_id = requested.operation, self._resource_id(requested)
        call = self._call(requested, request)
        try:
            answer = await self._handlers[operation.kind][operation.name](call)
        except KeyVaultError as error:
            if error.status == 403:
                needs = f"{operation.name} among what the object allows now"
                self._audit_log.refused(
                    "vault", requester, operation.data_action, resource_id, needs
                )
            raise
        # Only what was done is a use: a request that is malformed is not.
        self._audit_log.use(requester, operation.name, resource_id).once_more()
        return answer

    def _call(self, requested: VaultRequest, request: web.Request) -> Call:
        operation = requested.operation
        api = api_versions.parse(request.query.get(_API_VERSION, ""))
        if operation.feature and not api.has(operation.feature):
            first = api_versions.FIRST[operation.feature]
            raise not_in_version(f"Operation {operation.name}", api.name, first)
        if not operation.served:
            raise no_such_operation()
        known = _PARAMETERS.get((operation.kind, operation.name), frozenset())
        for name in request.query:
            if name != _API_VERSION and name not in known:
                raise bad_parameter("The request URI has a query parameter that is not known.")
        if len(set(request.query)) < len(request.query):
            raise bad_parameter("The request URI has a query parameter more than once.")
        limit = _MAX_BACKUP if operation.name == "restore" else _MAX_BODY
        url = f"{self._uri}{request.rel_url.raw_path}"
        return Call(requested, api, url, request.query, partial(_read_object, request, limit))

    def _authenticate(self, request: web.Request, requester: Requester) -> Claims:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            # The SDKs' usual first request, which only asks for the challenge: not a decision.
            raise missing_token()
        try:
            return self._issuer.verify(token.strip(), AUDIENCE)
        except InvalidTokenError as error:
            needs = f"a valid token ({error.reason})"
            self._audit_log.refused("vault", requester, None, self._spec.resource_id, needs)
            raise invalid_token(error, self._issuer.name) from None

    def _authorize(self, claims: Claims, requested: VaultRequest, requester: Requester) -> Decision:
        operation, resource_id = requested.operation, self._resource_id(requested)
        decision = self._authorization.decide(
            claims.principal_id,
            operation.data_action,
            resource_id,
            permission=operation.permission,
        )
        self._audit_log.decided("vault", decision, requester)
        if not decision.allowed:
            permission = f"{operation.kind} {operation.permission}"
            raise forbidden(decision, permission, claims, self._spec)
        return decision

    def _resource_id(self, requested: VaultRequest) -> str:
        if requested.object_name is None:
            return self._spec.resource_id
        return f"{self._spec.resource_id}/{requested.operation.kind}/{requested.object_name}"

    def _error(self, error: KeyVaultError) -> web.Response:
        response = web.json_response(error.body(), status=error.status)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = challenge(self._spec)
        return response


async def _read_object(request: web.Request, limit: int) -> JsonObject:
    try:
        return parse_object(await read_body(request, limit))
    except BodyError as error:
        raise KeyVaultError(error.status, _BODY_ERRORS[error.status], str(error)) from None
