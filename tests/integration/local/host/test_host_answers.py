"""What the host itself answers, as found on the real one (host 4.1037); bodies are empty.

Beside what was found there: azure-functions-host (FunctionInvocationMiddleware,
ExceptionMiddleware, HomepageMiddleware, HostController) and aspnetcore (KestrelServerLimits).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from local.host.keys import AppKeys
from tests.integration.local.host.conftest import RunningHost, StartHost

KEYS = AppKeys(bytes(range(32)))
CODE = """
import json
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

@app.route("open", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def open_to_all(req: func.HttpRequest) -> str:
    return str(len(req.get_body()))

@app.route("usual/{id?}", methods=["GET"])
def usual(req: func.HttpRequest) -> str:
    return json.dumps(dict(req.route_params))

@app.route("close", auth_level=func.AuthLevel.ADMIN)
def close(req: func.HttpRequest) -> str:
    return "close"

@app.route("nothing")
def nothing(req: func.HttpRequest):
    return None

@app.route("status")
def status(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)

@app.route("usual/{id?}", methods=["GET", "PUT"])
def usual_too(req: func.HttpRequest) -> str:
    return "never"

@app.route("runtime/mine")
def reserved(req: func.HttpRequest) -> str:
    return "never"
"""


@pytest.fixture
async def host(start_host: StartHost, tmp_path: Path) -> AsyncIterator[RunningHost]:
    file = tmp_path / "keys"
    file.write_text(KEYS.text())
    async with start_host(CODE, options=("--keys", str(file))) as running:
        yield running


async def raw(url: str, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are; return the status and all that follows the header section."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")), b":0"
    )
    body = await reader.readexactly(int(length.split(b":")[1]))
    writer.transport.abort()
    return int(head.split()[1]), body


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


KEY = f"x-functions-key: {KEYS.host}"
LONGEST_LINE = 8192 - len("GET  HTTP/1.1\r\n")
EMPTY = {
    "no function": (get("/api/other", KEY), 404),
    "no function and no key": (get("/api/other"), 404),
    "a wrong method": (get("/api/usual", KEY, method="POST"), 404),
    "HEAD": (get("/api/usual", KEY, method="HEAD"), 404),
    "OPTIONS": (get("/api/usual", KEY, method="OPTIONS"), 404),
    "no key": (get("/api/usual"), 401),
    "a second slash": (get("//api/usual", KEY), 404),
    "a second slash inside": (get("/api//usual", KEY), 404),
    "a null in the path": (get("/api/usual/%00", KEY), 400),
    "a null in another path": (get("/%00"), 400),
    "an answer that is none": (get("/api/nothing", KEY), 500),
    "a reserved route": (get("/api/runtime/mine", KEY), 404),
    "a conflicting route": (get("/api/usual", KEY, method="PUT"), 404),
    "a body above 100 MiB": (
        get("/api/open", "Content-Length: 104857601", method="POST"),
        500,
    ),
    "a body above 100 MiB for who has no key": (
        get("/api/close", "Content-Length: 104857601", method="POST"),
        401,
    ),
    "a request line too long": (get("/" + "x" * LONGEST_LINE), 414),
    "a header too large": (get("/api/open", "X: " + "x" * 33_000), 431),
    "headers too large together": (get("/api/open", *(["X: " + "x" * 4_000] * 9)), 431),
    "too many headers": (get("/api/open", *(["X: y"] * 100)), 431),
    "no host": (b"GET /api/open HTTP/1.1\r\n\r\n", 400),
    "no request": (b"planted planted planted\r\n\r\n", 400),
    "a header that is not text": (
        b"GET /api/open HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n",
        400,
    ),
}


async def test_what_the_host_refuses_has_an_empty_body(host: RunningHost) -> None:
    for name, (request, status) in EMPTY.items():
        assert await raw(host.url, request) == (status, b""), name


async def test_what_is_just_within_the_limits_is_served(host: RunningHost) -> None:
    line = get("/api/open?" + "x" * (LONGEST_LINE - len("/api/open?")))
    large = get("/api/open", *(["X: " + "x" * 8_000] * 4))
    many = get("/api/open", *(["X: y"] * 99))
    for request in (line, large, many):
        status, _ = await raw(host.url, request)
        assert status == 200


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/api/usual/a%20b%2Fc", '{"id": "a b%2Fc"}'),
        ("/API/Usual/x/", '{"id": "x"}'),
        ("/api/./other/../usual", "{}"),
    ],
)
async def test_a_path_is_read_as_kestrel_reads_it(host: RunningHost, path: str, seen: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"x-functions-key": KEYS.host}) as session,
        session.get(URL(f"{host.url}{path}", encoded=True)) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, seen)


async def test_an_answer_with_a_body_comes_in_chunks(host: RunningHost) -> None:
    async with aiohttp.ClientSession(headers={"x-functions-key": KEYS.host}) as session:
        async with session.get(f"{host.url}/api/open") as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in answer.headers
            assert await answer.text() == "0"
        async with session.get(f"{host.url}/api/status") as answer:
            assert (answer.status, await answer.read()) == (204, b"")


@pytest.mark.parametrize(
    ("setting", "status"), [("true", 204), ("True", 204), ("false", 200), ("1", 200), ("", 200)]
)
async def test_the_home_page_can_be_switched_off(
    start_host: StartHost, setting: str, status: int
) -> None:
    settings = {"AzureWebJobsDisableHomepage": setting}
    async with (
        start_host(CODE, **settings) as host,
        aiohttp.ClientSession() as session,
        session.get(host.url) as answer,
    ):
        assert answer.status == status
        assert bool(await answer.text()) == (status == 200)


async def test_a_function_in_error_is_logged_and_the_others_run(
    start_host: StartHost,
) -> None:
    async with start_host(CODE) as host:
        assert set(host.functions) >= {"open_to_all", "usual", "close"}
        host.process.terminate()
        _, log = await host.ended()
    assert "The 'usual_too' function is in error: The route specified conflicts" in log
    assert "The 'reserved' function is in error: The specified route conflicts" in log


GIVEN = {
    "none": None,
    "wrong": "wrong",
    "function": KEYS.function("usual"),
    "another function's": KEYS.function("close"),
    "host": KEYS.host,
    "master": KEYS.master,
}
OPENS = {
    "/api/open": set(GIVEN),
    "/api/usual": {"function", "host", "master"},
    "/api/close": {"master"},
    "/": set(GIVEN),
    "/admin/host/ping": set(GIVEN),
    "/admin/host/status": {"master"},
    "/admin/functions": {"master"},
    "/admin/functions/Usual": {"master"},
}


@pytest.mark.parametrize("where", ["header", "query", "both", "the other is right"])
async def test_the_matrix_of_keys(host: RunningHost, where: str) -> None:
    async with aiohttp.ClientSession() as session:
        for path, opening in OPENS.items():
            for name, key in GIVEN.items():
                url, headers = URL(host.url + path), {}
                if key is not None and where != "query":
                    headers["x-functions-key"] = key
                if key is not None and where in {"query", "both"}:
                    url = url.with_query({"code": key})
                if where == "the other is right" and key is not None:
                    url = url.with_query({"code": KEYS.master})
                async with session.get(url, headers=headers) as answer:
                    body = await answer.read()
                assert (answer.status == 200) == (name in opening), (path, name, answer.status)
                if name not in opening:
                    assert (answer.status, body) == (401, b""), (path, name)


async def test_an_empty_header_is_no_key_and_hides_the_query(host: RunningHost) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{host.url}/api/usual", params={"code": KEYS.host}, headers={"x-functions-key": ""}
        ) as answer,
    ):
        assert answer.status == 401


async def test_the_master_key_shows_what_runs_and_nothing_else(host: RunningHost) -> None:
    async with aiohttp.ClientSession(headers={"x-functions-key": KEYS.master}) as session:
        async with session.get(f"{host.url}/admin/host/status") as answer:
            assert (await answer.json())["state"] == "Running"
        async with session.get(f"{host.url}/admin/functions") as answer:
            listed = {one["name"]: one for one in await answer.json()}
        assert listed["usual"]["invoke_url_template"] == f"{host.url}/api/usual/{{id?}}"
        for path in ("/admin/host/keys", "/admin/other", "/admin", "/runtime/webhooks/x"):
            async with session.get(f"{host.url}{path}") as answer:
                assert (answer.status, await answer.read()) == (404, b"")
    async with aiohttp.ClientSession() as session:
        for path in ("/admin/host/keys", "/Admin/functions/usual/keys", "/runtime/webhooks/x"):
            async with session.get(f"{host.url}{path}") as answer:
                assert (answer.status, await answer.read()) == (401, b"")


async def test_without_keys_nobody_is_asked_for_one(start_host: StartHost) -> None:
    async with start_host(CODE) as host, aiohttp.ClientSession() as session:
        for path in OPENS:
            for headers in ({}, {"x-functions-key": "wrong"}):
                async with session.get(f"{host.url}{path}", headers=headers) as answer:
                    assert answer.status == 200, path


async def test_no_key_is_logged(host: RunningHost) -> None:
    given = [*filter(None, GIVEN.values()), "planted-key"]
    async with aiohttp.ClientSession() as session:
        for path in (*OPENS, "/api/nothing", "/other"):
            for key in given:
                async with session.get(f"{host.url}{path}", params={"code": key}) as answer:
                    await answer.read()
                sent = {"x-functions-key": key}
                async with session.get(f"{host.url}{path}", headers=sent) as answer:
                    await answer.read()
    for broken in (b"X: " + b"planted-key" * 5_000, b"planted-key\x00", b" planted-key"):
        await raw(host.url, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + broken + b"\r\n\r\n")
    host.process.terminate()
    _, log = await host.ended()
    assert "Executed 'Functions.nothing'" in log
    assert not [key for key in given if key in log]


async def test_a_file_without_keys_is_refused_by_name(
    start_host: StartHost, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    async with start_host(CODE, options=("--keys", str(missing))) as host:
        code, log = await host.ended()
    assert code == 2
    assert str(missing) in log


@pytest.mark.parametrize(
    ("setting", "size", "is_refused"),
    [("1000", 1000, False), ("1000", 1001, True), ("", 1001, False), ("much", 1001, False)],
)
async def test_a_body_above_the_deployed_limit_is_refused(
    start_host: StartHost, setting: str, size: int, is_refused: bool
) -> None:
    settings = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": setting}
    async with start_host(CODE, **settings) as host, aiohttp.ClientSession() as session:
        url = f"{host.url}/api/open"
        async with session.post(url, data=b"x" * size) as answer:
            assert (answer.status == 500) is is_refused
