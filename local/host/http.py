"""HTTP triggers: requests and responses, as the Functions host and its Python worker pass them.

What a function sees follows `GrpcMessageConversionExtensions.ToRpcHttp` of azure-functions-host:
header names in lower case, repeated values joined by commas, empty query values left out, and a
body only where the request states its length.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import HttpVersion11, web
from multidict import CIMultiDict

from local.host.admin import Admin, homepage
from local.host.bindings import HttpFunction
from local.host.invocation import FunctionError, Invoker
from local.host.keys import AppKeys, is_authorized, key_from_request
from local.host.route_table import make_route_table
from local.host.target import BadTargetError, path_of
from local.host.tracing import Trace
from local.host.worker.messages import Data

DEFAULT_MAX_BODY = 100 * 1024 * 1024  # bytes; the host's own limit for a request
_log = logging.getLogger("Host.Http")


@dataclass(frozen=True)
class HttpOptions:
    """What an app's HTTP server needs beside its functions.

    Without `keys` no key is required. `names` are those of all functions.
    """

    route_prefix: str
    names: Sequence[str] = ()
    keys: AppKeys | None = None
    has_homepage: bool = True
    max_body: int = DEFAULT_MAX_BODY


def http_app(
    functions: Iterable[HttpFunction], options: HttpOptions, invoker: Invoker
) -> web.Application:
    """Serve the functions below the prefix; what the host itself refuses has an empty body.

    - 400: a path or a header that is malformed
    - 404: no function for this path and method
    - 401: no key, or one that does not authorize
    - 500: a body above `max_body` bytes, and every error of the function or the host
    """
    handler = _Handler(functions, options, invoker)
    app = web.Application(client_max_size=options.max_body)
    app.router.add_route("*", "/{path:.*}", handler.handle)
    return app


class _Handler:
    def __init__(
        self, functions: Iterable[HttpFunction], options: HttpOptions, invoker: Invoker
    ) -> None:
        self._routes = make_route_table(functions, options.route_prefix)
        for name, problem in self._routes.in_error.items():
            _log.error("The '%s' function is in error: %s", name, problem)
        self._options = options
        self._admin = Admin(options.names, self._routes.functions, options.keys)
        self._invoker = invoker

    async def handle(self, request: web.Request) -> web.StreamResponse:
        answer = await self._answer(request)
        if answer.body and request.version >= HttpVersion11:
            # As from the real host, which does not know the length of a worker's response.
            answer.enable_chunked_encoding()
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            path = path_of(request.raw_path, request.host)
        except BadTargetError:
            return web.Response(status=400)
        if not _is_text(request):
            return web.Response(status=400)
        key = key_from_request(request.headers, request.query.items())
        if Admin.handles(path):
            at = f"{request.scheme}://{request.host}"
            return self._admin.respond(path, request.method, key, at)
        found = self._routes.find(path, request.method)
        if found is None and path == "/":
            return homepage(is_disabled=not self._options.has_homepage)
        if found is None:
            return web.Response(status=404)
        function, parameters = found
        if not is_authorized(function.level, key, self._options.keys, function.name):
            return web.Response(status=401)
        return await self._call(function, request, parameters)

    async def _call(
        self, function: HttpFunction, request: web.Request, parameters: Mapping[str, str]
    ) -> web.Response:
        # By the length it states: a body that is too large need not be read to be refused. Kestrel
        # would respond 413, and the host's ExceptionMiddleware makes 500 of it.
        if (request.content_length or 0) > self._options.max_body:
            return web.Response(status=500)
        given = await read_request(request, parameters)
        headers = request.headers
        parent = Trace(headers.get("traceparent", ""), headers.get("tracestate", ""))
        about = {
            "http.request.method": request.method,
            "http.route": function.route.template,
            "url.scheme": request.scheme,
            "faas.trigger": "http",
            "faas.name": function.name,
        }
        name = f"{request.method} {function.route.template}"
        with self._invoker.spans.around(name, "SERVER", about, parent) as call:
            response = await self._respond(function, given, call.trace)
            call.attributes["http.response.status_code"] = response.status
            return response

    async def _respond(self, function: HttpFunction, given: Data, trace: Trace) -> web.Response:
        try:
            return write_response(await self._invoker.call(function, given, {}, trace))
        except FunctionError:  # logged by the invoker
            # The body stays empty: a caller learns nothing of what went wrong inside.
            return web.Response(status=500)
        except ValueError:
            _log.exception(
                "'Functions.%s' returned a value that is not an HTTP response", function.name
            )
            return web.Response(status=500)


async def read_request(request: web.Request, route_parameters: Mapping[str, str]) -> Data:
    """Convert a request to the worker's value."""
    if request.content_length is None and request.can_read_body:
        _log.warning("A chunked request: the Functions host does not pass its body")
    body = await request.read() if request.content_length else b""
    return "http", {
        "method": request.method,
        "url": f"{request.scheme}://{request.host}{request.raw_path}",
        "headers": _joined((name.lower(), value) for name, value in request.headers.items()),
        "query": _joined((name, value) for name, value in request.query.items() if value),
        "params": dict(route_parameters),
        "body": ("bytes", body),
    }


def write_response(returned: Data) -> web.Response:
    """Convert what a function returned to a response. Raises ValueError if it cannot be sent."""
    kind, value = returned
    if kind == "string":
        return web.Response(text=value)
    if kind != "http":
        raise ValueError(f"a value of kind {kind} is not an HTTP response")
    headers = CIMultiDict(value["headers"])
    headers.popall("content-length", None)
    for cookie in value["cookies"]:
        headers.add("Set-Cookie", cookie)
    return web.Response(status=int(value["status"]), body=value["body"][1], headers=headers)


def _is_text(request: web.Request) -> bool:
    """Return whether all headers are UTF-8; the host's web server accepts no others."""
    try:
        for _, value in request.raw_headers:
            value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _joined(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in items:
        found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}
