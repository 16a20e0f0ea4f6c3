"""The host's own endpoints of an app: `/admin` and `/`."""

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
    """Responds below `/admin`, to callers with the master key.

    Of `HostController` and `FunctionsController` in azure-functions-host these are here: ping
    (which requires no key), status, and the list of functions. Keys are shown by
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

    def respond(self, path: str, method: str, key: str | None, url: str) -> web.Response:
        """Respond to a request; `url` is the app's, without a slash at the end."""
        route = "/".join(segments(path)).lower()
        if route == "admin/host/ping" and method in {"GET", "POST"}:
            return web.Response()
        if not is_authorized(AuthLevel.ADMIN, key, self._keys):
            return web.Response(status=401)
        if method == "GET":
            if route == "admin/host/status":
                return web.json_response(self._status())
            if route == "admin/functions":
                return web.json_response([self._function(name, url) for name in self._names])
            for name in self._names:
                if route == f"admin/functions/{name.lower()}":
                    return web.json_response(self._function(name, url))
        return web.Response(status=404)

    def _status(self) -> dict[str, object]:
        return {
            "state": "Running",
            "version": f"local.host, azure-functions {version('azure-functions')}",
            "processUptime": int((time.monotonic() - self._started) * 1000),
        }

    def _function(self, name: str, url: str) -> dict[str, object]:
        template = self._routes.get(name)
        return {
            "name": name,
            "href": f"{url}/admin/functions/{name}",
            "invoke_url_template": f"{url}/{template.strip('/')}" if template is not None else None,
            "language": "python",
            "isDisabled": False,
        }


def homepage(*, is_disabled: bool) -> web.Response:
    """Respond to `GET /`, which `AzureWebJobsDisableHomepage` disables (`HomepageMiddleware`)."""
    if is_disabled:
        return web.Response(status=204)
    return web.Response(text=_HOMEPAGE, content_type="text/html")
