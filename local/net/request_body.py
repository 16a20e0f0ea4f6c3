"""The bodies of requests, read within limits; what is wrong with one is the client's error."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

PATIENCE = 20.0  # seconds


class BodyError(Exception):
    """A body cannot be read; `status` is the one to respond with."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


async def read_body(request: web.Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes. Raises BodyError; ConnectionError without a client."""
    try:
        async with asyncio.timeout(PATIENCE):
            body = await request.read()
    except TimeoutError:
        raise BodyError(HTTPStatus.REQUEST_TIMEOUT, "The request took too long.") from None
    except HttpProcessingError:  # chunks that are none, or a length that is not kept
        raise BodyError(HTTPStatus.BAD_REQUEST, "The request body is malformed.") from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    if len(body) > limit:
        raise _too_large()
    return body


async def read_json(request: web.Request) -> object:
    """Read a JSON document, whatever Content-Type says. Raises ValueError."""
    try:
        document: object = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    return document


async def read_text(request: web.Request) -> str:
    """Read text in UTF-8, whatever Content-Type says. Raises ValueError."""
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None


def _too_large() -> BodyError:
    return BodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
