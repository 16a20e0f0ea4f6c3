"""A client of a local cloud that is up: of its apps, its partner, its control endpoint."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.cli.output import progress
from local.host.keys import HEADER, AppKeys, KeysUnreadableError
from local.net.folder import (
    KEY_FILE,
    PAGE_KEY_FILE,
    PARTNER_KEY_FILE,
    NotUpError,
    app_keys_file,
    endpoints,
)

# An app may take a minute to come up, and 15 s to stop before it.
_SECONDS = 90.0


class RequestRefusedError(Exception):
    """The server answered with an error, or not at all."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Return the body, read as JSON."""
        return json.loads(self.body)


class Client:
    """A client of the cloud in a folder. Raises `NotUpError` if none is up there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.endpoints = endpoints(folder)

    def url(self, name: str) -> str:
        """Return the URL, or the path, of a name in endpoints.json."""
        url = self.endpoints.get(name)
        if not isinstance(url, str):
            raise RequestRefusedError(f"the cloud has no endpoint {name!r}")
        return url

    def control(self, method: str, path: str, body: bytes | None = None) -> object:
        """Make a request to the control endpoint. Raises `RequestRefusedError` with its error."""
        url = self.url("control") + path
        answer = self.request(method, url, body, self._bearer(KEY_FILE))
        content = answer.json()
        if answer.status >= 400:
            raise RequestRefusedError(
                str(content.get("error") if isinstance(content, dict) else content)
            )
        return content

    def keys(self, app: str) -> AppKeys | None:
        """Return the access keys of an app; None where there is no such app, or it has none."""
        file = self._folder / app_keys_file(app)
        try:
            return AppKeys.read(file) if file.exists() else None
        except KeysUnreadableError as error:
            raise RequestRefusedError(str(error)) from None

    def app(
        self,
        app: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a request to an app, with its host key."""
        keys = self.keys(app)
        key = {HEADER: keys.host} if keys else {}
        return self.request(method, self.url(app) + path, body, {**(headers or {}), **key})

    def received(self, after: int = 0) -> Sequence[Mapping[str, object]]:
        """Return what the partner received after its message number `after`, oldest first."""
        return self.received_as(f"after={after}")

    def received_as(self, query: str) -> Sequence[Mapping[str, object]]:
        """Return what the partner received, as a query of its `/received` asks for it."""
        url = f"{self.url('partner')}/received?{query}"
        listed = self.request("GET", url, None, self._bearer(PARTNER_KEY_FILE)).json()
        return listed if isinstance(listed, list) else []

    def page(self) -> str:
        """Return the address of the live page, with its key in the fragment."""
        return f"{self.url('page')}/#{self._key(PAGE_KEY_FILE)}"

    def partner_key(self) -> str:
        """Return the key that gives access to what the partner received."""
        return self._key(PARTNER_KEY_FILE)

    def _bearer(self, file: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key(file)}"}

    def _key(self, file: str) -> str:
        try:
            return (self._folder / file).read_text()
        except OSError:
            raise NotUpError(self._folder) from None

    def environment(self, name: str) -> Mapping[str, str]:
        """Return the environment that makes a program that app, operator or machine."""
        answer = self.control("GET", "/status")
        status = answer if isinstance(answer, dict) else {}
        kinds = (kind for kind in ("operators", "machines") if name in status.get(kind, ()))
        of = next(kinds, "apps")
        found = self.control("GET", f"/{of}/{name}/environment")
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one HTTP request; return the answer, whatever its status.

        Raises `RequestRefusedError` if there is no answer.
        """
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - a URL of endpoints.json
        try:
            with (
                progress(f"waiting for an answer of {url.partition('?')[0]}"),
                self._opener().open(request, timeout=_SECONDS) as response,
            ):
                return _answer(response.status, response.headers.items(), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers.items(), error.read())
        except OSError as error:
            raise RequestRefusedError(
                f"{url} does not answer: {getattr(error, 'reason', error)}"
            ) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        # Loopback is never reached through a proxy, whatever the environment says.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.url("ca"))),
        )


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers}, body)
