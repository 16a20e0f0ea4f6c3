"""What Kestrel, the web server of the Functions host, refuses before an app sees it.

aspnetcore: the defaults of `KestrelServerLimits`, the statuses of `KestrelBadHttpRequestException`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

_REQUEST_LINE = 8 * 1024  # bytes, with the line's end
_HEADERS = 32 * 1024  # bytes of all headers, each with the line's end
_HEADER_COUNT = 100
_log = logging.getLogger("Host.Http")


def refusal(request: web.BaseRequest) -> HTTPStatus | None:
    """Return the status that a malformed request is refused with, None if it is well formed."""
    if request.version not in (HttpVersion10, HttpVersion11):
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    # "GET", the target, "HTTP/1.1", two spaces, CR and LF.
    if len(request.method) + len(request.raw_path.encode(errors="replace")) + 12 > _REQUEST_LINE:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    fields = request.raw_headers
    size = sum(len(name) + len(value) + 4 for name, value in fields)
    if len(fields) > _HEADER_COUNT or size > _HEADERS:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    if request.version >= HttpVersion11 and "Host" not in request.headers:
        return HTTPStatus.BAD_REQUEST
    return None


def protocols(server: web.Server) -> Callable[[], RequestHandler]:
    """Return what makes the protocol of each connection to a server.

    Bodies stay as they were sent: the Functions host decompresses none, and what would decompress
    to gigabytes stays small.
    """
    return lambda: _Protocol(
        server,
        loop=asyncio.get_running_loop(),
        # No line for each request: its query may hold a key. (AppRunner gives None, too.)
        access_log=None,  # type: ignore[arg-type]
        auto_decompress=False,
        max_line_size=_REQUEST_LINE,
        max_field_size=_HEADERS,
        max_headers=_HEADER_COUNT,
    )


class _Protocol(RequestHandler):
    """A connection whose errors have a status and no text, to the caller and in the log.

    What could not be parsed may be a key or part of a payload, which the usual answer and log
    quote.
    """

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed or handled; close the connection."""
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return _empty(super().handle_error(request, status, exc, message).status)
        status = _status_of(exc, status)
        _log.info("A malformed request was refused (%d, %s)", status, type(exc).__name__)
        return _empty(status)


def _empty(status: int) -> web.StreamResponse:
    response = web.Response(status=status)
    response.force_close()
    return response


def _status_of(error: BaseException | None, status: int) -> int:
    if isinstance(error, LineTooLong):
        is_first_line = error.args[1] == _REQUEST_LINE
        return 414 if is_first_line else 431
    # The one error of its kind that has no type of its own.
    return 431 if "Too many headers" in str(error) else status
