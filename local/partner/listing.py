"""What a request asks for of the messages that the partner got, by web or in its queue."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from aiohttp import web

from local.net.query import whole_number


class Arrival(Protocol):
    """A message that the partner got."""

    @property
    def id(self) -> str:
        """The message's id."""

    def as_json(self, *, brief: bool = False) -> dict[str, object]:
        """Return all of it, or with its payload's size in place of the payload."""


def payload_json(payload: bytes, *, brief: bool) -> dict[str, object]:
    """Return a payload as a member of a message's JSON, or its size."""
    return {"size": len(payload)} if brief else {"body": base64.b64encode(payload).decode()}


def listed(
    request: web.Request, arrived: Callable[[int], Iterable[Arrival]], most: int
) -> Iterator[str]:
    """Return messages as JSON, oldest first; `arrived` gives those after a number.

    By the query: `after=N`, `id=TEXT` for those whose id begins so, `newest=N` for the last N of
    them, at most `most`, `brief` for sizes instead of payloads. Raises `ValueError`.
    """
    after = whole_number(request, "after", 0)
    newest = whole_number(request, "newest", most)
    brief, begins = "brief" in request.query, request.query.get("id", "")
    found = (one for one in arrived(after) if one.id.startswith(begins))
    return (json.dumps(one.as_json(brief=brief)) for one in deque(found, newest))
