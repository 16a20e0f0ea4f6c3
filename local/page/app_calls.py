"""HTTP requests to the apps of a cloud, with their own keys: what a caller could do by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from local.host.keys import HEADER, AppKeys, KeysUnreadableError
from local.net.folder import app_keys_file
from local.runtime.cloud import Cloud

_SECONDS = 60.0
_LISTED = 8  # messages of the ledger


class AppCallError(Exception):
    """An app did not do what it was called for; the text says why, in the app's own words."""


@dataclass(frozen=True)
class _Answer:
    status: int
    content: object


class AppCalls:
    """Calls the apps of a cloud; `close` ends its connections."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, payload: bytes, content_type: str) -> str:
        """Post a message to the sender; return its id. Raises `AppCallError`."""
        headers = {"Content-Type": content_type}
        answer = await self._call("sender", "POST", "/api/messages", payload, headers)
        content = answer.content
        if answer.status != 202 or not isinstance(content, dict):
            raise AppCallError(f"The sender answered {answer.status}: {_detail(content)}")
        return str(content.get("id"))

    async def ledger(self) -> Mapping[str, object]:
        """Return the newest messages of the ledger, and how many of all are in each state.

        A state of `count_limit` messages has that many or more: the tracker counts no further.
        """
        try:
            listed = await self._asked("tracker", f"/api/messages?limit={_LISTED}")
            counted = await self._asked("tracker", "/api/states")
            return {
                "states": _counts(counted["states"]),
                "count_limit": int(counted["count_limit"]),
                "messages": [_shown(one) for one in listed["messages"]],
            }
        except AppCallError as error:
            return {"problem": str(error)}
        except (AttributeError, KeyError, TypeError, ValueError):
            return {"problem": "The tracker sent an answer of an unknown form."}

    async def _asked(self, app: str, path: str) -> Mapping[str, Any]:
        answer = await self._call(app, "GET", path)
        if answer.status != 200 or not isinstance(answer.content, dict):
            raise AppCallError(f"The {app} answered {answer.status}: {_detail(answer.content)}")
        return answer.content

    async def _call(
        self,
        app: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Answer:
        process = self._cloud.apps.get(app)
        if process is None or process.url is None or process.state != "up":
            raise AppCallError(f"The {app} is not running.")
        sent = {**(headers or {}), **self._key(app)}
        try:
            async with self._opened().request(
                method, process.url + path, data=body, headers=sent, allow_redirects=False
            ) as answer:
                return _Answer(answer.status, _json(await answer.read()))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AppCallError(f"The {app} does not answer ({type(error).__name__}).") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Loopback is never reached through a proxy: trust_env stays off.
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    def _key(self, app: str) -> Mapping[str, str]:
        file = self._cloud.context.folder.path / app_keys_file(app)
        try:
            return {HEADER: AppKeys.read(file).host} if file.exists() else {}
        except KeysUnreadableError as error:
            raise AppCallError(str(error)) from None


def _counts(states: Mapping[str, Mapping[str, object]]) -> Mapping[str, int]:
    """Return the number of messages in each state that any is in."""
    counts = {state: int(str(one["messages"])) for state, one in states.items()}
    return {state: count for state, count in counts.items() if count}


def _shown(message: Mapping[str, object]) -> Mapping[str, object]:
    names = ("id", "state", "attempts", "detail", "size", "times")
    return {name: message.get(name) for name in names}


def _json(body: bytes) -> object:
    try:
        content: object = json.loads(body)
    except ValueError:
        return None
    return content


def _detail(content: object) -> str:
    """Read a problem document (RFC 9457)."""
    if isinstance(content, dict):
        return str(content.get("detail") or content.get("title") or "it gave no reason")
    return "it gave no reason"
