"""Bodies of requests: whatever is wrong with one is the client's error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import pytest
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import TransferEncodingError
from aiohttp.test_utils import make_mocked_request

from local.net.request_body import BodyError, read_body, read_json, read_text

MOST = 200_000  # bytes that the application takes


def request(
    body: bytes = b"", content_type: str = "text/plain", error: Exception | None = None
) -> web.Request:
    """Make a request whose body ends, or breaks off by an error."""
    protocol = make_mocked_request("POST", "/").protocol
    payload = StreamReader(protocol, 2**20, loop=asyncio.get_running_loop())
    payload.feed_data(body)
    if error is None:
        payload.feed_eof()
    else:
        payload.set_exception(error)
    headers = {"Content-Type": content_type}
    return make_mocked_request("POST", "/", headers, payload=payload, client_max_size=MOST)


async def test_a_body_is_read_up_to_its_limit() -> None:
    assert await read_body(request(b"12345"), 5) == b"12345"


@pytest.mark.parametrize(
    ("make", "limit", "status"),
    [
        (lambda: request(b"123456"), 5, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (lambda: request(b"1" * (MOST + 1)), 2 * MOST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (lambda: request(error=TransferEncodingError("x")), 5, HTTPStatus.BAD_REQUEST),
    ],
)
async def test_what_is_wrong_with_a_body_has_a_status(
    make: Callable[[], web.Request], limit: int, status: HTTPStatus
) -> None:
    with pytest.raises(BodyError) as raised:
        await read_body(make(), limit)
    assert raised.value.status is status


async def test_a_client_that_has_gone_is_no_malformed_body() -> None:
    with pytest.raises(ConnectionResetError):
        await read_body(request(error=ConnectionResetError()), 5)


TYPES = ["", "a/b; charset=nonsense", "a/b; charset=rot13", "text/plain; a*=x; a*0=y"]


@pytest.mark.parametrize("content_type", TYPES)
async def test_the_content_type_does_not_matter(content_type: str) -> None:
    assert await read_json(request(b'{"a": "\xc3\xa4"}', content_type)) == {"a": "ä"}
    assert await read_text(request(b"\xc3\xa4", content_type)) == "ä"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
async def test_what_is_no_json_is_refused(body: bytes) -> None:
    made = request(body)
    with pytest.raises(ValueError, match="the body is not JSON"):
        await read_json(made)


async def test_what_is_no_text_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="the body is not UTF-8") as raised:
        await read_text(request(b"planted\xff"))
    assert "planted" not in str(raised.value)
