"""A client of a local cloud that is up: of its apps, its partner, its control endpoint."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from local.cli.output import progress
from local.host.keys import HEADER, AppKeys, KeysUnreadableError
from local.known_names import unknown_name
from local.net.folder import (
    KEY_FILE,
    PAGE_KEY_FILE,
    PARTNER_KEY_FILE,
    NotUpError,
    app_keys_file,
    endpoints,
    shell_command,
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
            known = [one for one, address in self.endpoints.items() if isinstance(address, str)]
            raise RequestRefusedError(unknown_name(name, known, "endpoint"))
        return url

    def control(self, method: str, route: str, body: bytes | None = None) -> object:
        """Make a request to the control endpoint. Raises `RequestRefusedError` with its error."""
        url = self.url("control") + route
        answer = self.request(method, url, body, self._bearer(KEY_FILE))
        try:
            content = answer.json()
        except ValueError:
            raise RequestRefusedError(f"{url} answers {answer.status}, and not as JSON") from None
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

    def queued_as(self, query: str) -> Sequence[Mapping[str, object]]:
        """Return what came to the partner's queue, by the same query."""
        listed = self.control("GET", f"/partner-queue?{query}")
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
        names = {kind: list(status.get(kind, ())) for kind in ("apps", "operators", "machines")}
        kinds = [kind for kind, listed in names.items() if name in listed]
        if not kinds:
            known = (one for listed in names.values() for one in listed)
            raise RequestRefusedError(unknown_name(name, known, "app, operator or machine"))
        found = self.control("GET", path(kinds[0], name, "environment"))
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
            reason = getattr(error, "reason", error)
            why = getattr(reason, "strerror", None) or reason
            hint = f"; what is up shows: {shell_command(self._folder, 'status')}"
            if url.startswith(self.url("control")):
                hint = ""  # that is who does not answer
            raise RequestRefusedError(f"{url} does not answer: {why}{hint}") from None
        except HTTPException as error:
            raise RequestRefusedError(f"{url} ended its answer: {type(error).__name__}") from None
        except ValueError as error:  # what no header can hold: a line break, or letters beyond it
            raise RequestRefusedError(f"this cannot be sent: {error}") from None

    def _opener(self) -> urllib.request.OpenerDirector:
        # Loopback is never reached through a proxy, whatever the environment says.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.url("ca"))),
        )


def path(*names: str) -> str:
    """Return the path of these names at the control endpoint, each of them as one segment.

    Raises `RequestRefusedError` for one that no URL can have: a path is resolved by its dots.
    """
    for name in names:
        if name in ("", ".", ".."):
            raise RequestRefusedError(f"{name!r} is not a name")
    return "".join(f"/{quote(name, safe='', errors='replace')}" for name in names)


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers}, body)
