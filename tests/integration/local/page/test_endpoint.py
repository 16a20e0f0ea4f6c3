"""The live page over HTTP: what it gives to whom. None of it reaches a cloud, so none is up."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import hdrs

from local.net.loopback import listen_anywhere
from local.net.serving import serve
from local.page.endpoint import page_app
from local.runtime.cloud import Cloud

KEY = "k" * 43
RIGHT = {"Authorization": f"Bearer {KEY}"}
FILES = ("/", "/page.css", "/page.js", "/picture.js", "/lists.js", "/connection.js", "/icon.svg")
ACTIONS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/messages", {"count": 1}),
    ("PUT", "/partner", {"answers": "works"}),
    ("POST", "/keys/payload-local/payload/rotate", {}),
    ("PUT", "/grants/decrypt", {"granted": False}),
    ("POST", "/rejected/replay", {"number": "#1"}),
    ("POST", "/retries/forward", {}),
    ("POST", "/proof", {}),
)
NEEDS_KEY = (("GET", "/events", None), *ACTIONS)


@pytest.fixture
async def url(stack: AsyncExitStack, tmp_path: Path) -> str:
    cloud = cast(
        "Cloud", SimpleNamespace(context=SimpleNamespace(folder=SimpleNamespace(path=tmp_path)))
    )
    return await serve(stack, page_app(cloud, KEY), listen_anywhere())


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def answer(
    session: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> tuple[int, str]:
    async with session.request(method, url, **options) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("path", FILES)
async def test_its_files_need_no_key_and_forbid_what_they_do_not_use(
    session: aiohttp.ClientSession, url: str, path: str
) -> None:
    async with session.get(url + path) as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert not response.cookies
        # Nothing from outside, no inline code or style, no markup made of text.
        text = await response.text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        if path == "/":
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=)", text)


@pytest.mark.parametrize(("method", "path", "body"), NEEDS_KEY)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY}k"},
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": KEY},
        {"Cookie": f"key={KEY}"},
        {"x-functions-key": KEY},
    ],
    ids=["none", "shorter", "longer", "scheme", "bare", "cookie", "header"],
)
async def test_all_else_needs_the_key(
    session: aiohttp.ClientSession, url: str, method: str, path: str, body: Any, headers: Any
) -> None:
    status, text = await answer(session, method, url + path, headers=headers, json=body)
    assert status == 401
    assert KEY not in text


async def test_the_key_in_the_query_opens_nothing(session: aiohttp.ClientSession, url: str) -> None:
    status, _ = await answer(session, "GET", f"{url}/events?key={KEY}&code={KEY}")
    assert status == 401


@pytest.mark.parametrize(("method", "path", "body"), NEEDS_KEY)
async def test_a_page_of_another_origin_is_refused_even_with_the_key(
    session: aiohttp.ClientSession, url: str, method: str, path: str, body: Any
) -> None:
    for headers in ({"Origin": "https://attacker.example"}, {"Origin": "null"}):
        given = RIGHT | headers
        status, _ = await answer(session, method, url + path, headers=given, json=body)
        assert status == 403
    status, _ = await answer(
        session, method, url + path, headers=RIGHT | {"Host": "attacker.example"}, json=body
    )
    assert status == 421


@pytest.mark.parametrize("path", ["/", "/page.js"])
async def test_its_files_are_not_served_under_another_name(
    session: aiohttp.ClientSession, url: str, path: str
) -> None:
    status, _ = await answer(session, "GET", url + path, headers={"Host": "attacker.example:80"})
    assert status == 421


@pytest.mark.parametrize(("method", "path", "body"), NEEDS_KEY)
async def test_no_other_method_does_what_a_button_does(
    session: aiohttp.ClientSession, url: str, method: str, path: str, body: Any
) -> None:
    for other in hdrs.METH_ALL - {method, hdrs.METH_CONNECT, hdrs.METH_ANY}:
        async with session.request(other, url + path, headers=RIGHT, json=body) as response:
            assert response.status == 405, other
            assert response.headers["Allow"] == method
            assert "Content-Security-Policy" in response.headers


@pytest.mark.parametrize(
    ("method", "path", "body", "wrong"),
    [
        ("POST", "/messages", {"count": 0}, "count must be a whole number from 1 to 50"),
        ("POST", "/messages", {"count": 51}, "count must be"),
        ("POST", "/messages", {"count": True}, "count must be"),
        ("POST", "/messages", {}, "count is missing"),
        ("POST", "/messages", {"count": 1, "to": "me"}, "to is not a known property"),
        ("POST", "/messages", [], "must be an object"),
        ("PUT", "/partner", {"answers": "503"}, "is not one of works, unavailable, refuses"),
        ("PUT", "/grants/decrypt", {"granted": "no"}, "granted must be true or false"),
        ("POST", "/rejected/replay", {"number": 7}, "number must be a string"),
    ],
)
async def test_a_body_that_is_not_what_a_button_sends_is_refused_with_what_is_wrong(
    session: aiohttp.ClientSession, url: str, method: str, path: str, body: Any, wrong: str
) -> None:
    status, text = await answer(session, method, url + path, headers=RIGHT, json=body)
    assert status == 400
    assert wrong in text


@pytest.mark.parametrize(
    "number", ["--all", "#1 --all", "", "7", "#", "dead#", "#1\n", "-h", "#" + "9" * 20, "#\uff11"]
)
async def test_only_a_number_becomes_an_argument_of_a_command(
    session: aiohttp.ClientSession, url: str, number: str
) -> None:
    status, text = await answer(
        session, "POST", f"{url}/rejected/replay", headers=RIGHT, json={"number": number}
    )
    assert status == 409
    assert "sequence number" in text


async def test_a_body_that_is_not_json_or_too_large_is_refused(
    session: aiohttp.ClientSession, url: str
) -> None:
    path = f"{url}/messages"
    status, text = await answer(session, "POST", path, headers=RIGHT, data=b"{")
    assert (status, "is not JSON" in text) == (400, True)
    status, _ = await answer(session, "POST", path, headers=RIGHT, data=b" " * 100_000)
    assert status == 413


async def test_a_path_that_there_is_not_is_not_found_and_no_file_is_read(
    session: aiohttp.ClientSession, url: str
) -> None:
    for path in ("/nothing", "/static/page.js", "/..%2fendpoint.py", "/%2e%2e/endpoint.py"):
        status, _ = await answer(session, "GET", url + path)
        assert status == 401
        status, _ = await answer(session, "GET", url + path, headers=RIGHT)
        assert status == 404
