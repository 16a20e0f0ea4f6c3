"""What is sent in one turn of the loop leaves in one piece, in its order."""

from __future__ import annotations

import asyncio
from typing import Any

from local.host.worker.outbox import Outbox


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))


async def test_what_is_sent_in_one_turn_leaves_in_one_piece() -> None:
    wire = Wire()
    outbox = Outbox(wire)
    for data in (b"a", b"b", b"c"):
        outbox.send(data)
    assert wire.pieces == []
    await asyncio.sleep(0)
    assert wire.pieces == [b"abc"]
    outbox.send(b"d")
    await asyncio.sleep(0)
    assert wire.pieces == [b"abc", b"d"]
