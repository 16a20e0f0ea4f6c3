"""Services on loopback: plain or over TLS, on free ports, gone after the test."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from aiohttp import web

# What makes an application, once its own URL, `scheme://127.0.0.1:port/`, is known.
Maker = Callable[[str], web.Application]
Serve = Callable[[Maker], Awaitable[str]]


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def _serve(stack: AsyncExitStack, make: Maker, tls: ssl.SSLContext | None) -> str:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}/"
    runner = web.AppRunner(make(url), shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listening, ssl_context=tls).start()
    return url


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    return lambda make: _serve(stack, make, None)


@pytest.fixture
def serve_tls(stack: AsyncExitStack, tls: ssl.SSLContext) -> Serve:
    return lambda make: _serve(stack, make, tls)
