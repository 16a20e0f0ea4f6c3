"""An app whose environment names a proxy goes on, and the proxy gets nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.pipeline.cloud_process import Running
from tests.tcp import serving

pytestmark = pytest.mark.long


async def test_a_sender_whose_environment_names_a_proxy_sends_past_it(cloud: Running) -> None:
    connections: list[str] = []

    async def record(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        connections.append((await reader.read(4096)).decode("latin-1"))

    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    both = [name for each in names for name in (each, each.lower())]
    async with (
        serving(record) as port,
        cloud.another_sender(
            **dict.fromkeys(both, f"http://127.0.0.1:{port}"), NO_PROXY="", no_proxy=""
        ) as sender,
        cloud.session() as session,
        session.post(f"{sender}/api/messages", data=b"past the proxy") as answer,
    ):
        assert answer.status == 202
    assert connections == []
