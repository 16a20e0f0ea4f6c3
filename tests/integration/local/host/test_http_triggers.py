from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from tests.integration.local.host.conftest import RunningHost, StartHost

CODE = """
import json
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

@app.route(route="echo/{first}/{id:int?}", methods=["POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {"method": req.method, "url": req.url, "params": dict(req.params),
            "route": dict(req.route_params), "headers": dict(req.headers)}
    headers = {"Seen": json.dumps(seen), "Set-Cookie": "a=1; Path=/"}
    return func.HttpResponse(req.get_body(), status_code=202, headers=headers,
                             mimetype=req.headers.get("content-type"))

@app.route(methods=["GET"])
def text(req: func.HttpRequest) -> str:
    return "gr\\u00fc\\u00df dich"

@app.route()
def nothing(req: func.HttpRequest):
    return None

@app.route()
async def boom(req: func.HttpRequest) -> str:
    raise RuntimeError("internals")

@app.route()
async def wrong(req: func.HttpRequest) -> str:
    return {"not": "an answer"}
"""


@pytest.fixture
async def host(start_host: StartHost) -> AsyncIterator[RunningHost]:
    async with start_host(CODE) as running:
        yield running


async def test_requests_and_answers_pass_as_through_the_real_host(host: RunningHost) -> None:
    assert host.functions == ["echo", "text", "nothing", "boom", "wrong"]
    async with aiohttp.ClientSession(host.url) as session:
        await check_echo(session, host.url)
        async with session.get("/api/text") as answer:
            assert await answer.read() == "grüß dich".encode()
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        # A function that returns nothing has given no answer: its converter says so.
        for path in ("boom", "wrong", "nothing"):
            async with session.get(f"/api/{path}") as answer:
                assert (answer.status, await answer.read()) == (500, b"")
        for method, path in (("GET", "/api/echo/x"), ("GET", "/api/other"), ("GET", "/text")):
            async with session.request(method, path) as answer:
                assert (answer.status, await answer.read()) == (404, b"")
        assert (
            await raw_status(
                host.url, b"GET /api/text HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n"
            )
            == 400
        )
        async with session.post("/api/echo/x", data=aiter_of(b"chunked")) as answer:
            assert await answer.read() == b""


async def check_echo(session: aiohttp.ClientSession, url: str) -> None:
    body = bytes(range(256)) * 100
    headers = [("Content-Type", "image/png"), ("X-Twice", "1"), ("X-Twice", "2")]
    path = "/api/ECHO/a%20b/7?q=1&q=2&empty=&s=%C3%A4"
    async with session.post(
        URL(path, encoded=True), data=io.BytesIO(body), headers=headers
    ) as answer:
        assert (answer.status, await answer.read()) == (202, body)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["set-cookie"] == "a=1; Path=/"
        seen = json.loads(answer.headers["seen"])
    assert seen["method"] == "POST"
    assert seen["url"] == url + path
    assert seen["params"] == {"q": "1,2", "s": "ä"}
    assert seen["route"] == {"first": "a b", "id": "7"}
    assert seen["headers"]["x-twice"] == "1,2"
    assert seen["headers"]["content-length"] == str(len(body))


async def raw_status(url: str, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
    writer.write(request)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def aiter_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_the_route_prefix_is_that_of_host_json(start_host: StartHost) -> None:
    prefix: dict[str, object] = {"extensions": {"http": {"routePrefix": ""}}}
    async with (
        start_host(CODE, prefix) as host,
        aiohttp.ClientSession(host.url) as session,
        session.get("/text") as answer,
    ):
        assert answer.status == 200


async def test_it_ends_when_its_input_ends(host: RunningHost) -> None:
    assert host.process.stdin
    host.process.stdin.close()
    code, log = await host.ended()
    assert code == 0, log


async def test_it_ends_when_it_is_told(host: RunningHost) -> None:
    host.process.terminate()
    code, log = await host.ended()
    assert code == 0, log


async def test_an_app_it_cannot_run_is_refused_with_the_reason(start_host: StartHost) -> None:
    code = CODE + '\n@app.blob_trigger("blob", "p", "C")\ndef f(blob): ...\n'
    async with start_host(code) as host:
        ended, log = await host.ended()
    assert ended == 2
    assert "function 'f': binding 'blob' of type 'blobTrigger'" in log
