"""HTTP triggers: requests in, answers out, as the Functions host and its Python worker pass them.

What a function sees follows `GrpcMessageConversionExtensions.ToRpcHttp` of azure-functions-host:
header names in lower case, repeated values joined by commas, empty query values left out, and a
body only where the request tells its length.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from aiohttp import web
from multidict import CIMultiDict

from local.host.bindings import HttpFunction
from local.host.invocation import FunctionError, Invoker
from local.host.routes import Route
from local.host.tracing import Trace
from local.host.worker.messages import Data

_MAX_BODY = 100 * 1024 * 1024  # the host's own limit for a request
_log = logging.getLogger("Host.Http")


def http_app(
    functions: Iterable[HttpFunction], route_prefix: str, invoker: Invoker
) -> web.Application:
    """Serve the functions below the prefix; an unknown route or a wrong method is 404."""
    handler = _Handler(functions, route_prefix, invoker)
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/{path:.*}", handler.handle)
    return app


class _Handler:
    def __init__(
        self, functions: Iterable[HttpFunction], route_prefix: str, invoker: Invoker
    ) -> None:
        placed = [
            replace(function, route=Route.parse(f"{route_prefix}/{function.route.template}"))
            for function in functions
        ]
        self._functions = sorted(placed, key=lambda function: function.route.precedence)
        self._invoker = invoker

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if not _is_text(request):
            return web.Response(status=400)
        for function in self._functions:
            parameters = function.route.match(request.rel_url.raw_path)
            if parameters is not None and request.method in function.methods:
                return await self._call(function, request, parameters)
        return web.Response(status=404)

    async def _call(
        self, function: HttpFunction, request: web.Request, parameters: Mapping[str, str]
    ) -> web.Response:
        # Refused by what it says of itself: a body that is too large need not be held to be known.
        if (request.content_length or 0) > _MAX_BODY:
            return web.Response(status=413)
        given = await read_request(request, parameters)
        trace = Trace.below(request.headers.get("traceparent"), request.headers.get("tracestate"))
        try:
            return write_response(await self._invoker.call(function, given, {}, trace))
        except FunctionError:  # logged by the invoker
            # The body stays empty: what went wrong inside is nothing for a caller to read.
            return web.Response(status=500)
        except ValueError:
            _log.exception("'Functions.%s' returned no usable answer", function.name)
            return web.Response(status=500)


async def read_request(request: web.Request, route_parameters: Mapping[str, str]) -> Data:
    """Make what the worker gets of a request."""
    if request.content_length is None and request.can_read_body:
        _log.warning("A chunked request: the Functions host passes no body of such a one")
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
    """Make the answer from what a function returned; ValueError if it cannot be sent."""
    kind, value = returned
    if kind == "string":
        return web.Response(text=value)
    if kind != "http":
        raise ValueError(f"a value of kind {kind} is no HTTP answer")
    headers = CIMultiDict(value["headers"])
    headers.popall("content-length", None)
    for cookie in value["cookies"]:
        headers.add("Set-Cookie", cookie)
    return web.Response(status=int(value["status"]), body=value["body"][1], headers=headers)


def _is_text(request: web.Request) -> bool:
    """Tell whether all headers are UTF-8; the host's web server takes no others."""
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
