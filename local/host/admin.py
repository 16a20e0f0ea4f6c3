"""`/admin` and `/` of an app: the few of the host's own answers that users of an app ask for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version

from aiohttp import web

from local.host.bindings import HttpFunction
from local.host.keys import AppKeys, AuthLevel, is_authorized
from local.host.target import segments

_HOMEPAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Function app</title></head>
<body><p>Your function app is up and running, on this machine.</p></body></html>
"""


class Admin:
    """Answers what is below `/admin`, for who has the master key.

    Of `HostController` and `FunctionsController` in azure-functions-host these are here: ping
    (which asks for no key), status, and the list of functions. Keys are told by
    `python -m local key`, never by HTTP.
    """

    def __init__(
        self, names: Sequence[str], served: Sequence[HttpFunction], keys: AppKeys | None
    ) -> None:
        self._names = names
        self._routes = {function.name: function.route.template for function in served}
        self._keys = keys
        self._started = time.monotonic()

    @staticmethod
    def handles(path: str) -> bool:
        """Return whether a decoded path is one of the host's own."""
        return segments(path.lower())[:1] in (["admin"], ["runtime"])

    def answer(self, path: str, method: str, key: str | None, url: str) -> web.Response:
        """Answer a request; `url` is where the app is, without a slash at the end."""
        asked = "/".join(segments(path)).lower()
        if asked == "admin/host/ping" and method in {"GET", "POST"}:
            return web.Response()
        if not is_authorized(AuthLevel.ADMIN, key, self._keys):
            return web.Response(status=401)
        if method == "GET":
            if asked == "admin/host/status":
                return web.json_response(self._status())
            if asked == "admin/functions":
                return web.json_response([self._function(name, url) for name in self._names])
            for name in self._names:
                if asked == f"admin/functions/{name.lower()}":
                    return web.json_response(self._function(name, url))
        return web.Response(status=404)

    def _status(self) -> dict[str, object]:
        return {
            "state": "Running",
            "version": f"local.host, azure-functions {version('azure-functions')}",
            "processUptime": int((time.monotonic() - self._started) * 1000),
        }

    def _function(self, name: str, url: str) -> dict[str, object]:
        route = self._routes.get(name)
        return {
            "name": name,
            "href": f"{url}/admin/functions/{name}",
            "invoke_url_template": f"{url}/{route.strip('/')}" if route is not None else None,
            "language": "python",
            "isDisabled": False,
        }


def homepage(*, is_disabled: bool) -> web.Response:
    """Answer `GET /`: `AzureWebJobsDisableHomepage` switches it off (`HomepageMiddleware`)."""
    if is_disabled:
        return web.Response(status=204)
    return web.Response(text=_HOMEPAGE, content_type="text/html")
