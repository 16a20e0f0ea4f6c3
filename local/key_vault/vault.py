"""The data plane of a Key Vault over HTTP: authentication, authorization, and the errors."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from aiohttp import web

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.authorization import Authorization
from local.authorization.program import is_probe
from local.deployment.resources import VaultSpec
from local.identity.tokens import Claims, InvalidTokenError, TokenIssuer
from local.key_vault.errors import (
    AUDIENCE,
    KeyVaultError,
    bad_parameter,
    forbidden,
    invalid_token,
    missing_token,
    not_found,
)
from local.key_vault.handlers import Handler, KeyHandlers, SecretHandlers
from local.key_vault.operations import Kind, VaultRequest, parse
from local.key_vault.request_body import JsonObject, parse_object
from local.key_vault.responses import ResponseBody
from local.key_vault.store import ObjectNotFoundError, VaultStore

_LOG = logging.getLogger(__name__)
_API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2}|\d\.\d)(-preview(\.\d+)?)?", re.ASCII)
_MAX_BODY = 64 * 1024
_BODY_TIMEOUT = 20.0  # seconds


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
    Source: Azure Key Vault REST API reference, keys and secrets; any api-version of known form.
    """
    audit_log = audit_log or AuditLog()
    vault = _Vault(spec, store, issuer, authorization, uri.rstrip("/"), audit_log)
    application = web.Application(client_max_size=_MAX_BODY)
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
        self._handlers: Mapping[Kind, Mapping[str, Handler]] = {
            "keys": KeyHandlers(store, uri).by_name,
            "secrets": SecretHandlers(store, uri).by_name,
        }

    async def serve(self, request: web.Request) -> web.Response:
        """Respond to one request; whatever happens, in JSON and without internals."""
        request_id = str(uuid.uuid4())
        try:
            response = web.json_response(await self._answer(request, request_id))
        except KeyVaultError as error:
            response = self._error(error)
        except ObjectNotFoundError as error:
            response = self._error(not_found(error))
        except Exception as error:  # noqa: BLE001 - the client must see nothing of what went wrong
            # The type only: an exception's text can hold what the request held.
            _LOG.error("vault %s: %s", self._spec.name, type(error).__name__)
            response = self._error(KeyVaultError(500, "InternalServerError", "Unexpected error."))
        response.headers["x-ms-request-id"] = request_id
        response.headers["x-ms-keyvault-region"] = self._spec.location
        response.headers["Cache-Control"] = "no-cache"
        return response

    async def _answer(self, request: web.Request, request_id: str) -> ResponseBody:
        # In this order: nobody learns anything before the token is verified, nor whether an object
        # exists before its use is allowed.
        requester = Requester(
            request_id=request_id, probe=is_probe(request.headers.get("User-Agent"))
        )
        claims = self._authenticate(request, requester)
        requester = replace(requester, principal_id=claims.principal_id, app=claims.issued_to)
        requested = parse(request.method, request.rel_url.raw_path)
        if not _API_VERSION.fullmatch(request.query.get("api-version", "")):
            raise bad_parameter("The query parameter 'api-version' is missing or malformed.")
        self._authorize(claims, requested, requester)
        return await self._execute(requested, request, requester)

    async def _execute(
        self, requested: VaultRequest, request: web.Request, requester: Requester
    ) -> ResponseBody:
        operation, resource_id = requested.operation, self._resource_id(requested)
        try:
            handler = self._handlers[operation.kind][operation.name]
            answer = await handler(requested, partial(_read_object, request))
        except KeyVaultError as error:
            if error.status == 403:
                needs = f"{operation.name} among the operations of the key"
                self._audit_log.refused(
                    "vault", requester, operation.data_action, resource_id, needs
                )
            raise
        # Only what was done is a use: a request that is malformed is not.
        self._audit_log.use(requester, operation.name, resource_id).once_more()
        return answer

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

    def _authorize(self, claims: Claims, requested: VaultRequest, requester: Requester) -> None:
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

    def _resource_id(self, requested: VaultRequest) -> str:
        if requested.object_name is None:
            return self._spec.resource_id
        return f"{self._spec.resource_id}/{requested.operation.kind}/{requested.object_name}"

    def _error(self, error: KeyVaultError) -> web.Response:
        response = web.json_response(error.body(), status=error.status)
        if error.status == 401:
            authority = f"https://login.microsoftonline.com/{self._spec.tenant_id}"
            challenge = f'Bearer authorization="{authority}", resource="{AUDIENCE}"'
            response.headers["WWW-Authenticate"] = challenge
        return response


async def _read_object(request: web.Request) -> JsonObject:
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            data = await request.read()
    except TimeoutError:
        raise KeyVaultError(408, "RequestTimeout", "The request took too long.") from None
    except web.HTTPRequestEntityTooLarge:
        raise KeyVaultError(413, "RequestEntityTooLarge", "The request is too large.") from None
    return parse_object(data)
