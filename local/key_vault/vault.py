"""The data plane of a Key Vault: keys and secrets over HTTP, for whom the deployment allows."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from local.authorization.audit_log import AuditLog, Requester
from local.authorization.authorization import Authorization
from local.authorization.program import is_probe
from local.deployment.resources import KeySpec, VaultSpec
from local.identity.tokens import Claims, InvalidTokenError, TokenIssuer
from local.key_vault import rsa as vault_rsa
from local.key_vault.errors import (
    AUDIENCE,
    KeyVaultError,
    bad_parameter,
    disabled_key,
    forbidden,
    invalid_token,
    missing_token,
    not_found,
    not_permitted_on_key,
)
from local.key_vault.operations import VaultRequest, parse
from local.key_vault.responses import (
    ResponseBody,
    big_endian,
    object_attributes,
    page,
    secret_attributes,
)
from local.key_vault.store import KeyVersion, ObjectNotFoundError, SecretVersion, VaultStore

_LOG = logging.getLogger(__name__)
_API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2}|\d\.\d)(-preview(\.\d+)?)?", re.ASCII)
_MAX_BODY = 64 * 1024
_MAX_SECRET = 25_600  # characters of a secret's value, as in Azure
_MAX_TAGS = 15  # as in Azure
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

    `audit_log` is told what was allowed and what was not.
    Source: Azure Key Vault REST API reference, keys and secrets; any api-version of known form.
    """
    kept = audit_log or AuditLog()
    vault = _Vault(spec, store, issuer, authorization, uri.rstrip("/"), kept)
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
        self._store = store
        self._issuer = issuer
        self._authorization = authorization
        self._uri = uri
        self._audit_log = audit_log
        self._handlers: dict[
            tuple[str, str], Callable[[VaultRequest, web.Request], Awaitable[ResponseBody]]
        ] = {
            ("keys", "list"): self._list_keys,
            ("keys", "versions"): self._list_key_versions,
            ("keys", "get"): self._get_key,
            ("keys", "rotate"): self._rotate,
            ("keys", "update"): self._update_key,
            ("keys", "encrypt"): self._encrypt,
            ("keys", "wrapKey"): self._encrypt,
            ("keys", "decrypt"): self._decrypt,
            ("keys", "unwrapKey"): self._decrypt,
            ("secrets", "list"): self._list_secrets,
            ("secrets", "versions"): self._list_secret_versions,
            ("secrets", "get"): self._get_secret,
            ("secrets", "set"): self._set_secret,
        }

    async def serve(self, request: web.Request) -> web.Response:
        """ResponseBody one request; whatever happens, in JSON and without internals."""
        request_id = str(uuid.uuid4())
        try:
            response = web.json_response(await self._answer(request, request_id))
        except KeyVaultError as refusal:
            response = self._refused(refusal)
        except ObjectNotFoundError as error:
            response = self._refused(not_found(error))
        except Exception as error:  # noqa: BLE001 - the client must see nothing of what went wrong
            # The type only: an exception's text can hold what the request held.
            _LOG.error("vault %s: %s", self._spec.name, type(error).__name__)
            response = self._refused(KeyVaultError(500, "InternalServerError", "Unexpected error."))
        response.headers["x-ms-request-id"] = request_id
        response.headers["x-ms-keyvault-region"] = self._spec.location
        response.headers["Cache-Control"] = "no-cache"
        return response

    async def _answer(self, request: web.Request, request_id: str) -> ResponseBody:
        # In this order: nobody learns of anything before the token is believed, nor whether an
        # object exists before its use is allowed.
        requester = Requester(
            request_id=request_id, probe=is_probe(request.headers.get("User-Agent"))
        )
        claims = self._authenticate(request, requester)
        requester = replace(requester, principal_id=claims.principal_id, app=claims.issued_to)
        call = parse(request.method, request.rel_url.raw_path)
        if not _API_VERSION.fullmatch(request.query.get("api-version", "")):
            raise bad_parameter("The query parameter 'api-version' is missing or malformed.")
        self._authorize(claims, call, requester)
        return await self._do(call, request, requester)

    async def _do(
        self, call: VaultRequest, request: web.Request, requester: Requester
    ) -> ResponseBody:
        operation, resource_id = call.operation, self._resource_id(call)
        try:
            answer = await self._handlers[operation.kind, operation.name](call, request)
        except KeyVaultError as refusal:
            if refusal.status == 403:
                needs = f"{operation.name} among the operations of the key"
                self._audit_log.refused(
                    "vault", requester, operation.data_action, resource_id, needs
                )
            raise
        # Only what was done is a use: a try with garbage is none.
        self._audit_log.use(requester, operation.name, resource_id).once_more()
        return answer

    def _authenticate(self, request: web.Request, requester: Requester) -> Claims:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            # The SDKs' usual first request, which only wants the challenge: no decision.
            raise missing_token()
        try:
            return self._issuer.verify(token.strip(), AUDIENCE)
        except InvalidTokenError as error:
            needs = f"a valid token ({error.reason})"
            self._audit_log.refused("vault", requester, None, self._spec.resource_id, needs)
            raise invalid_token(error, self._issuer.name) from None

    def _authorize(self, claims: Claims, call: VaultRequest, requester: Requester) -> None:
        operation, resource_id = call.operation, self._resource_id(call)
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

    def _resource_id(self, call: VaultRequest) -> str:
        if call.object_name is None:
            return self._spec.resource_id
        return f"{self._spec.resource_id}/{call.operation.kind}/{call.object_name}"

    async def _list_keys(self, _call: VaultRequest, _request: web.Request) -> ResponseBody:
        store = self._store
        newest = [(key, store.key_version(key.name)) for key in store.key_specs()]
        return page([{"kid": self._id("keys", k.name), **object_attributes(v)} for k, v in newest])

    async def _list_key_versions(self, call: VaultRequest, _request: web.Request) -> ResponseBody:
        spec = self._store.key(_name(call))
        versions = [
            self._store.key_version(spec.name, version)
            for version in self._store.key_versions(spec.name)
        ]
        return page(
            [
                {"kid": self._id("keys", spec.name, v.version), **object_attributes(v)}
                for v in versions
            ]
        )

    async def _get_key(self, call: VaultRequest, _request: web.Request) -> ResponseBody:
        spec = self._store.key(_name(call))
        return self._key_bundle(spec, self._store.key_version(spec.name, call.version))

    async def _rotate(self, call: VaultRequest, _request: web.Request) -> ResponseBody:
        spec = self._store.key(_name(call))
        # Finding primes takes long enough for everybody else to notice.
        version = await asyncio.to_thread(self._store.rotate, spec.name)
        return self._key_bundle(spec, self._store.key_version(spec.name, version))

    async def _update_key(self, call: VaultRequest, request: web.Request) -> ResponseBody:
        spec = self._store.key(_name(call))
        version = self._store.key_version(spec.name, call.version).version
        body = await _json(request)
        attributes = body.get("attributes") or {}
        enabled = attributes.get("enabled") if isinstance(attributes, dict) else "?"
        if not isinstance(enabled, bool) or any(body.get(part) for part in ("key_ops", "tags")):
            raise bad_parameter("The local vault changes 'attributes.enabled' of a key alone.")
        self._store.enable(spec.name, version, enabled=enabled)
        return self._key_bundle(spec, self._store.key_version(spec.name, version))

    async def _encrypt(self, call: VaultRequest, request: web.Request) -> ResponseBody:
        key_id, key = self._usable_key(call)
        body = await _json(request)
        plaintext = vault_rsa.from_base64url(body.get("value"))
        ciphertext = vault_rsa.encrypt(key.public_key(), body.get("alg"), plaintext)
        return {"kid": key_id, "value": vault_rsa.to_base64url(ciphertext)}

    async def _decrypt(self, call: VaultRequest, request: web.Request) -> ResponseBody:
        key_id, key = self._usable_key(call)
        body = await _json(request)
        ciphertext = vault_rsa.from_base64url(body.get("value"))
        # A private-key operation takes milliseconds, which the event loop has not got.
        plaintext = await asyncio.to_thread(vault_rsa.decrypt, key, body.get("alg"), ciphertext)
        return {"kid": key_id, "value": vault_rsa.to_base64url(plaintext)}

    def _usable_key(self, call: VaultRequest) -> tuple[str, rsa.RSAPrivateKey]:
        spec = self._store.key(_name(call))
        found = self._store.key_version(spec.name, call.version)
        if call.operation.name not in spec.operations:
            raise not_permitted_on_key(call.operation.name)
        if not found.enabled:
            raise disabled_key(call.operation.name)
        key_id = self._id("keys", spec.name, found.version)
        return key_id, self._store.private_key(spec.name, found.version)

    async def _list_secrets(self, _call: VaultRequest, _request: web.Request) -> ResponseBody:
        newest = [(name, self._store.secret(name)) for name in self._store.secret_names()]
        return page([{"id": self._id("secrets", n), **secret_attributes(s)} for n, s in newest])

    async def _list_secret_versions(
        self, call: VaultRequest, _request: web.Request
    ) -> ResponseBody:
        name = _name(call)
        return page(
            [
                {"id": self._id("secrets", name, s.version), **secret_attributes(s)}
                for s in self._store.secret_versions(name)
            ]
        )

    async def _get_secret(self, call: VaultRequest, _request: web.Request) -> ResponseBody:
        return self._secret_bundle(_name(call), self._store.secret(_name(call), call.version))

    async def _set_secret(self, call: VaultRequest, request: web.Request) -> ResponseBody:
        name = _name(call)
        body = await _json(request)
        value, content_type = body.get("value"), body.get("contentType")
        if not isinstance(value, str) or len(value) > _MAX_SECRET:
            raise bad_parameter(f"Property 'value' must be a text of at most {_MAX_SECRET}.")
        if content_type is not None and not isinstance(content_type, str):
            raise bad_parameter("Property 'contentType' must be a text.")
        tags, expires = _tags(body), _expires(body)
        version = self._store.set_secret(name, value, content_type, tags, expires)
        return self._secret_bundle(name, self._store.secret(name, version))

    def _key_bundle(self, spec: KeySpec, version: KeyVersion) -> ResponseBody:
        key = self._store.private_key(spec.name, version.version).public_key().public_numbers()
        return {
            "key": {
                "kid": self._id("keys", spec.name, version.version),
                "kty": spec.kty,
                "key_ops": list(spec.operations),
                "n": vault_rsa.to_base64url(big_endian(key.n)),
                "e": vault_rsa.to_base64url(big_endian(key.e)),
            },
            **object_attributes(version),
        }

    def _secret_bundle(self, name: str, secret: SecretVersion) -> ResponseBody:
        secret_id = self._id("secrets", name, secret.version)
        return {"value": secret.value, "id": secret_id, **secret_attributes(secret)}

    def _id(self, kind: str, name: str, version: str | None = None) -> str:
        # From configuration, never from the Host header: a message carries a key's id onwards.
        return f"{self._uri}/{kind}/{name}" + (f"/{version}" if version else "")

    def _refused(self, refusal: KeyVaultError) -> web.Response:
        response = web.json_response(refusal.body(), status=refusal.status)
        if refusal.status == 401:
            authority = f"https://login.microsoftonline.com/{self._spec.tenant_id}"
            challenge = f'Bearer authorization="{authority}", resource="{AUDIENCE}"'
            response.headers["WWW-Authenticate"] = challenge
        return response


async def _json(request: web.Request) -> dict[str, object]:
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            body = json.loads(await request.read())
    except TimeoutError:
        raise KeyVaultError(408, "RequestTimeout", "The request took too long.") from None
    except web.HTTPRequestEntityTooLarge:
        raise KeyVaultError(413, "RequestEntityTooLarge", "The request is too large.") from None
    except (ValueError, RecursionError):
        raise bad_parameter("The request body is not JSON.") from None
    if not isinstance(body, dict):
        raise bad_parameter("The request body must be a JSON object.")
    return body


def _name(call: VaultRequest) -> str:
    if call.object_name is None:
        raise bad_parameter("The request URI names no object.")
    return call.object_name


def _tags(body: dict[str, object]) -> dict[str, str]:
    tags = body.get("tags") or {}
    if not isinstance(tags, dict) or len(tags) > _MAX_TAGS:
        raise bad_parameter(f"Property 'tags' must be an object of at most {_MAX_TAGS}.")
    if not all(isinstance(value, str) for value in tags.values()):
        raise bad_parameter("Property 'tags' must hold texts.")
    return tags


def _expires(body: dict[str, object]) -> int | None:
    attributes = body.get("attributes") or {}
    expires = attributes.get("exp") if isinstance(attributes, dict) else "?"
    if expires is not None and (isinstance(expires, bool) or not isinstance(expires, int)):
        raise bad_parameter("Property 'attributes.exp' must be a number of seconds since 1970.")
    return expires
