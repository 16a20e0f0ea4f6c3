"""The administration of a namespace over HTTPS, as ServiceBusAdministrationClient speaks it.

Source: Microsoft Learn, "Service Bus REST API".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Literal
from urllib.parse import unquote, urlencode
from uuid import UUID, uuid4

from aiohttp import web

from local.authorization.program import is_probe
from local.bus.administration import atom
from local.bus.administration.entities import Entities, Kind, Target
from local.bus.administration.errors import AdministrationError, bad_request, unauthorized
from local.bus.amqp.errors import UnauthorizedError
from local.bus.broker.journal import JournalError
from local.bus.broker.namespace import Namespace
from local.bus.security.audit_sink import AccessRequest, AuditSink
from local.bus.security.principal import AccessControl, Principal, Right
from local.bus.security.sas import SAS_PREFIX
from local.deployment.resources import NamespaceSpec

_LOG = logging.getLogger(__name__)
API_VERSIONS = ("2015-01", "2017-04", "2021-05", "2024-05")
MAX_PAGE = 100
Info = Literal["info"]
_MAX_BODY = 256 * 1024
_BODY_SECONDS = 20.0
_CONDITIONS = ("If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
_FORWARD_TOKEN = "ServiceBusSupplementaryAuthorization"  # noqa: S105 - the name of a header
_DEAD_LETTER_TOKEN = "ServiceBusDlqSupplementaryAuthorization"  # noqa: S105 - as above


class Administration:
    """Responds to the requests of the administration of one namespace.

    `namespace` returns it, or None while the bus is stopped; `changed` is called after a change.
    """

    def __init__(
        self,
        spec: NamespaceSpec,
        access: AccessControl,
        namespace: Callable[[], Namespace | None],
        changed: Callable[[], None],
        audit: AuditSink | None = None,
    ) -> None:
        self._spec = spec
        self._access = access
        self._namespace = namespace
        self._changed = changed
        self._audit = audit or AuditSink()
        self.application = web.Application(client_max_size=_MAX_BODY)
        self.application.router.add_route("*", "/{path:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        """Respond to one request; whatever happens, in Atom and without internals."""
        request_id = uuid4()
        try:
            response = await self._answer(request, request_id)
        except AdministrationError as error:
            response = _error(error.status, error.detail(request_id))
        except JournalError:
            response = _error(503, "SubCode=50300. The bus cannot write what it holds.")
        except Exception as error:  # noqa: BLE001 - the client must see nothing of what went wrong
            # The type only: an exception's text can hold what the request held.
            _LOG.error("administration of %s: %s", self._spec.name, type(error).__name__)
            response = _error(500, "SubCode=50000. Internal Server Error.")
        response.headers["x-ms-request-id"] = str(request_id)
        return response

    async def _answer(self, request: web.Request, request_id: UUID) -> web.Response:
        # In this order: nobody learns anything before the token is verified, nor whether an entity
        # exists before its administration is allowed.
        segments = _segments(request)
        target, kind = _target(segments)
        requested = AccessRequest(
            _audited(target), str(request_id), is_probe(request.headers.get("User-Agent"))
        )
        holder = self._authenticate(request.headers.get("Authorization", ""), requested)
        self._require(holder, "manage", requested)
        namespace = self._namespace()
        if namespace is None:
            raise AdministrationError(503, 50300, "Service Unavailable. The bus is stopped.")
        version = _api_version(request)
        _check_parameters(request, kind)
        _check_conditions(request)
        entities = Entities(namespace, self._spec, _own_url(request), version)
        response = await self._execute(request, entities, target, kind, requested)
        if not requested.probe:
            self._audit.used(holder, "manage", requested.entity, 1)
        return response

    async def _execute(
        self,
        request: web.Request,
        entities: Entities,
        target: Target,
        kind: Kind | Info | None,
        requested: AccessRequest,
    ) -> web.Response:
        if kind is not None:
            if request.method != "GET":
                raise AdministrationError(405, 40500, "Method Not Allowed.")
            if kind == "info":
                return _xml(atom.entry(entities.namespace_info()))
            return _page(request, kind, entities.list(kind, target))
        match request.method:
            case "GET":
                found = entities.get(target)
                # Azure answers with an empty feed where there is no entity.
                return _xml(
                    atom.entry(found)
                    if found
                    else atom.feed("Publicly Listed Services", _own_url(request), [])
                )
            case "PUT":
                exists = "If-Match" in request.headers
                body = await _body(request)

                def authorize_forward(name: str, is_dead_letter: bool) -> None:  # noqa: FBT001
                    header = _DEAD_LETTER_TOKEN if is_dead_letter else _FORWARD_TOKEN
                    self._authorize_forward(request, header, name, requested)

                done = entities.put(target, body, authorize_forward, exists=exists)
                self._changed()
                return _xml(atom.entry(done), 200 if exists else 201)
            case "DELETE":
                entities.delete(target)
                self._changed()
                return web.Response()
        raise AdministrationError(405, 40500, "Method Not Allowed.")

    def _authorize_forward(
        self, request: web.Request, header: str, name: str, requested: AccessRequest
    ) -> None:
        # Otherwise whoever manages one queue could send to all others by letting it forward.
        token = request.headers.get(header, request.headers.get("Authorization", ""))
        asked = AccessRequest(name.lower(), requested.request_id, requested.probe)
        holder = self._authenticate(token, asked)
        if not self._access.is_allowed(holder, "manage", asked.entity):
            self._require(holder, "send", asked)

    def _authenticate(self, header: str, requested: AccessRequest) -> Principal:
        scheme, _, token = header.partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
        if header.startswith(SAS_PREFIX):
            given = header
        if not given:
            self._audit.authentication_failed("no token was given", requested)
            raise unauthorized("MissingToken: the authorization header was not found.")
        try:
            return self._access.authenticate(given, f"sb://{self._spec.host}/{requested.entity}")
        except UnauthorizedError as error:
            self._audit.authentication_failed(error.description, requested)
            raise unauthorized(error.description) from None

    def _require(self, holder: Principal, right: Right, requested: AccessRequest) -> None:
        self._audit.decided(holder, right, requested)
        if not self._access.is_allowed(holder, right, requested.entity):
            raise unauthorized(
                f"'{right.capitalize()}' claim(s) are required to perform this operation. "
                f"Resource: 'sb://{self._spec.host}/{requested.entity}'."
            )


def _segments(request: web.Request) -> list[str]:
    # Split before decoding: a slash that is encoded belongs to a name.
    raw = request.rel_url.raw_path.strip("/")
    return [unquote(part) for part in raw.split("/")] if raw else []


def _target(segments: list[str]) -> tuple[Target, Kind | Info | None]:
    """Return what an address names, and what it lists of it."""
    match [one.lower() for one in segments]:
        case ["$namespaceinfo"]:
            return Target(""), "info"
        case ["$resources", "queues"]:
            return Target(""), "queues"
        case ["$resources", "topics"]:
            return Target(""), "topics"
        case [*_, "subscriptions", _, "rules", _]:
            return Target("/".join(segments[:-4]), segments[-3], segments[-1]), None
        case [*_, "subscriptions", _, "rules"]:
            return Target("/".join(segments[:-3]), segments[-2]), "rules"
        case [*_, "subscriptions", _]:
            return Target("/".join(segments[:-2]), segments[-1]), None
        case [*_, "subscriptions"] if len(segments) > 1:
            return Target("/".join(segments[:-1])), "subscriptions"
    return Target("/".join(segments)), None


def _audited(target: Target) -> str:
    return target.path.lower()


def _api_version(request: web.Request) -> str:
    version = request.query.get("api-version", "")
    if version not in API_VERSIONS:
        raise bad_request(f"api-version must be one of {', '.join(API_VERSIONS)}.")
    return version


def _check_parameters(request: web.Request, kind: Kind | Info | None) -> None:
    """Refuse what would have no effect: an unknown parameter, or one of another operation."""
    paged = kind is not None and kind != "info"
    known = ("api-version", "$skip", "$top") if paged else ("api-version", "enrich")
    for name in request.query:
        if name not in known or len(request.query.getall(name)) > 1:
            raise bad_request(f"{name[:60]} is not a parameter of this request, or is there twice.")
    # What it asks for, the counts of messages, is in every response.
    if request.query.get("enrich", "true").lower() not in ("true", "false"):
        raise bad_request("enrich must be true or false.")


def _check_conditions(request: web.Request) -> None:
    for name in _CONDITIONS:
        if name in request.headers:
            raise bad_request(f"{name} is not supported: entities have no ETag.")
    if request.headers.get("If-Match", "*").strip() != "*":
        raise bad_request("If-Match must be *: entities have no ETag.")


def _own_url(request: web.Request) -> str:
    return f"https://{request.host}"


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise AdministrationError(408, 40800, "The request took too long.") from None
    except web.HTTPRequestEntityTooLarge:
        raise AdministrationError(413, 41300, "The request is too large.") from None


def _page(request: web.Request, kind: Kind, found: Sequence[atom.Entry]) -> web.Response:
    skip, top = _count(request, "$skip", 0), _count(request, "$top", MAX_PAGE)
    top = min(top, MAX_PAGE)
    url = f"{_own_url(request)}{request.rel_url.path}"
    following = None
    if 0 < top < len(found) - skip:
        query = {"$skip": skip + top, "$top": top, "api-version": _api_version(request)}
        following = f"{url}?{urlencode(query, safe='$')}"
    return _xml(atom.feed(kind.capitalize(), url, found[skip : skip + top], following))


def _count(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise bad_request(f"{name} must be a whole number from 0.")
    return int(text)


def _xml(text: str, status: int = 200) -> web.Response:
    return web.Response(
        text=text, status=status, content_type="application/atom+xml", charset="utf-8"
    )


def _error(status: int, detail: str) -> web.Response:
    return web.Response(
        text=atom.error(status, detail),
        status=status,
        content_type="application/xml",
        charset="utf-8",
    )
