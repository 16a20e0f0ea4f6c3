"""What keeps a server waiting is broken off; what does not goes on, however long it takes."""

from __future__ import annotations

import asyncio
import gzip
import logging
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from local.net.loopback import listen_anywhere
from local.net.serving import Patience, serve

SHORT = Patience(headers=0.5, idle=0.5, stalled=0.5)
LONG = Patience(headers=60, idle=60, stalled=60)


def app() -> web.Application:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(1.2)
        return web.Response(text="slow")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65536))

    made = web.Application()
    made.router.add_post("/", echo)
    made.router.add_get("/slow", slow)
    made.router.add_get("/endless", endless)
    return made


@pytest.fixture(autouse=True)
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.net.serving._TICK_SECONDS", 0.1)


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octet: bytes) -> None:
    """Send an octet now and then until the server has hung up."""
    async with asyncio.timeout(60):
        try:
            while True:
                writer.write(octet)
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
    writer.close()


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Endless: ",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + bytes(100_000),
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\nPOST / HT",
    ],
)
async def test_a_request_that_never_ends_is_broken_off(
    stack: AsyncExitStack, beginning: bytes
) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=SHORT)
    reader, writer = await connect(url)
    writer.write(beginning)
    await ended(reader, writer, b"0")


async def test_an_answer_that_is_not_taken_is_broken_off(stack: AsyncExitStack) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=SHORT)
    reader, writer = await connect(url)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
    # What it sent before is not read, so all that tells is that nothing more is taken from here.
    await ended(reader, writer, b"0")


async def test_what_is_slow_inside_or_comes_at_a_pace_is_waited_for(stack: AsyncExitStack) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=SHORT)

    async def body() -> object:
        for _ in range(10):
            yield bytes(5000)
            await asyncio.sleep(0.1)

    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/slow") as answer:
            assert await answer.text() == "slow"
        async with session.post(f"{url}/", data=body()) as answer:
            assert len(await answer.read()) == 50_000


async def test_a_body_is_what_was_sent(stack: AsyncExitStack) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=LONG)
    packed = gzip.compress(bytes(10**6))
    headers = {"Content-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/", data=packed, headers=headers) as answer,
    ):
        assert await answer.read() == packed


@pytest.mark.parametrize(
    ("request_line", "rest", "status"),
    [
        ("POST / HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n", 400),
        ("POST / HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        ("POST / HTTP/2.0", b"Content-Length: 0\r\n\r\n", 505),
        ("POST / HTTP/1.2", b"Content-Length: 0\r\n\r\n", 400),
    ],
)
async def test_what_is_malformed_is_answered_and_is_no_error_of_the_server(
    stack: AsyncExitStack,
    caplog: pytest.LogCaptureFixture,
    request_line: str,
    rest: bytes,
    status: int,
) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=LONG)
    reader, writer = await connect(url)
    writer.write(f"{request_line}\r\nHost: localhost\r\n".encode() + rest)
    assert (await reader.readline()).split()[1] == str(status).encode()
    await reader.read()
    writer.close()
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


async def test_a_client_that_goes_in_the_middle_of_its_request_is_no_error_of_the_server(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        try:
            return web.Response(body=await request.read())
        finally:
            ended.set()

    application = web.Application()
    application.router.add_post("/", read)
    url = await serve(stack, application, listen_anywhere(), patience=LONG)
    _, writer = await connect(url)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
    await writer.drain()
    writer.transport.abort()
    async with asyncio.timeout(60):
        await ended.wait()
    await stack.aclose()
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("LOCALHOST:7071", 200),
        ("[::1]:80", 200),
        ("rebound.example", 421),
        ("127.0.0.1.rebound.example:80", 421),
        ("localhost@rebound.example", 421),
        ("2130706433", 421),
        ("127.0.0.1:x", 421),
    ],
)
async def test_it_answers_to_its_own_names_only(
    stack: AsyncExitStack, host: str, status: int
) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=LONG)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/", data=b"x", headers={"Host": host}) as answer,
    ):
        assert answer.status == status


@pytest.mark.parametrize(
    ("origins", "status"),
    [
        ([], 200),
        (["{url}"], 200),
        (["HTTP://127.0.0.1:{port}"], 200),
        (["https://127.0.0.1:{port}"], 403),
        (["http://localhost:{port}"], 403),
        (["http://127.0.0.1:1"], 403),
        (["http://127.0.0.1"], 403),
        (["https://page.example"], 403),
        (["null"], 403),
        ([""], 403),
        (["{url}", "https://page.example"], 403),
    ],
)
async def test_pages_of_another_origin_are_refused(
    stack: AsyncExitStack, origins: list[str], status: int
) -> None:
    url = await serve(stack, app(), listen_anywhere(), patience=LONG)
    port = url.rpartition(":")[2]
    headers = [("Origin", one.format(url=url, port=port)) for one in origins]
    for method in ("POST", "OPTIONS"):
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{url}/", data=b"x", headers=headers) as answer,
        ):
            assert answer.status == (405 if method == "OPTIONS" and status == 200 else status)
            assert not any(name.startswith("Access-Control") for name in answer.headers)
