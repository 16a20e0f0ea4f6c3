"""A caller of the sender, and what came of its messages."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from tests.pipeline.cloud_process import Running

TEXT = "text/plain"


def new_key() -> str:
    return f'"{uuid.uuid4()}"'


async def post(
    cloud: Running, payload: bytes = b"payload", key: str | None = None, content_type: str = TEXT
) -> tuple[int, Any, str | None]:
    """Send once; return status, content and when to try again."""
    headers = {"Content-Type": content_type} | ({"Idempotency-Key": key} if key else {})
    async with (
        cloud.session() as session,
        session.post(
            f"{cloud.endpoints['sender']}/api/messages", data=payload, headers=headers
        ) as answer,
    ):
        content = await answer.json(content_type=None)
        return answer.status, content, answer.headers.get("Retry-After")


async def taken(cloud: Running, payload: bytes = b"payload", key: str | None = None) -> str:
    """Send until it is taken: a secret that was just corrected is read within seconds."""
    for _ in range(60):
        status, content, _ = await post(cloud, payload, key)
        if status == 202:
            return str(content["id"])
        assert status == 503
        await asyncio.sleep(0.5)
    raise AssertionError("not taken")


async def times_at_partner(cloud: Running, message_id: str) -> int:
    async with (
        cloud.session() as session,
        session.get(f"{cloud.endpoints['partner']}/received?ids") as answer,
    ):
        listed = await answer.json(content_type=None)
    return int(listed[message_id]["times"]) if message_id in listed else 0
