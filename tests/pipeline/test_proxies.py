"""An app whose environment names a proxy goes on, and the proxy gets nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.pipeline.cloud_process import Running

pytestmark = pytest.mark.long


async def test_a_sender_whose_environment_names_a_proxy_sends_past_it(cloud: Running) -> None:
    connections: list[str] = []

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append((await reader.read(4096)).decode("latin-1"))
        writer.close()

    proxy = await asyncio.start_server(record, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    variables = {name: url for each in names for name in (each, each.lower())}
    async with (
        proxy,
        cloud.another_sender(**variables, NO_PROXY="", no_proxy="") as sender,
        cloud.session() as session,
        session.post(f"{sender}/api/messages", data=b"past the proxy") as answer,
    ):
        assert answer.status == 202
    assert connections == []
