"""Talking to a local cloud that is up: its sender, its partner, its control endpoint."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.folder import KEY_FILE, NotUp, endpoints

_SECONDS = 60.0


class Refused(Exception):  # noqa: N818 - named after what happened
    """The other side answered with an error, or not at all."""


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
    """The programs of a cloud, found by its folder; NotUp if none is up there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.endpoints = endpoints(folder)

    def url(self, name: str) -> str:
        """Return an endpoint by its key in endpoints.json."""
        return str(self.endpoints[name])

    def control(self, method: str, path: str, body: bytes | None = None) -> object:
        """Ask the control endpoint; Refused tells what it says."""
        try:
            key = (self._folder / KEY_FILE).read_text()
        except OSError:
            raise NotUp(self._folder) from None
        url = self.url("control") + path
        answer = self.request(method, url, body, {"Authorization": f"Bearer {key}"})
        content = answer.json()
        if answer.status >= 400:
            raise Refused(str(content.get("error") if isinstance(content, dict) else content))
        return content

    def environment(self, name: str) -> Mapping[str, str]:
        """Return what makes a program that app, operator or machine; Refused if there is none."""
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
        """Make one HTTP request, of any status; Refused if nobody answers."""
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - a URL of endpoints.json
        try:
            with self._opener().open(request, timeout=_SECONDS) as response:
                return _answer(response.status, response.headers.items(), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers.items(), error.read())
        except OSError as error:
            raise Refused(f"{url} does not answer: {getattr(error, 'reason', error)}") from None

    def _opener(self) -> urllib.request.OpenerDirector:
        # Loopback is never reached through a proxy, whatever the environment says.
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.url("ca"))),
        )


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers}, body)
