from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.load import Plan, post


@pytest.fixture
async def seen() -> Counter[str]:
    """What the server was posted, by path."""
    return Counter()


@pytest.fixture
async def url(seen: Counter[str]) -> AsyncIterator[str]:
    """A server that refuses every tenth request, and all to /refused."""

    async def answer(request: web.Request) -> web.Response:
        seen[request.path] += 1
        await request.read()
        refused = request.path == "/refused" or seen.total() % 10 == 0
        return web.Response(status=503 if refused else 202)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/messages"))


async def test_so_many_requests_are_made_and_each_is_counted_once(
    url: str, seen: Counter[str]
) -> None:
    load = await post(url, Plan(callers=7, payload=b"x", requests=50))
    assert seen.total() == 50
    assert len(load.latencies) == 45
    assert load.failures == {"status 503": 5}
    assert load.rate == pytest.approx(45 / load.seconds)


async def test_callers_stop_when_their_time_is_over(url: str, seen: Counter[str]) -> None:
    await post(url, Plan(callers=2, payload=b"x", seconds=0.05))
    assert 2 <= seen.total() < 1_000_000


async def test_a_server_that_accepts_nothing_is_an_error_that_says_what_it_answered(
    url: str,
) -> None:
    with pytest.raises(aiohttp.ClientError, match=r"status 503.*4"):
        await post(url.replace("/messages", "/refused"), Plan(2, b"x", requests=4))
