"""Distance delays what is sent, both ways, and changes nothing else about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from local.net.distance import DelayLine, DistantProtocol, distant
from tests.fast_clock import run

ROUND_TRIP = 0.1


class Wire(asyncio.Transport):
    """Writes down what leaves the server, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[tuple[float, object]] = []

    def _note(self, what: object) -> None:
        self.left.append((round(asyncio.get_running_loop().time(), 6), what))

    def write(self, data: Any) -> None:
        self._note(data)

    def close(self) -> None:
        self._note("closed")

    def abort(self) -> None:
        self._note("aborted")

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0


class Server(asyncio.Protocol):
    """Answers each piece with itself, and writes down what happened to it."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, object]] = []

    def _note(self, what: object) -> None:
        self.seen.append((round(asyncio.get_running_loop().time(), 6), what))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._note("made")

    def data_received(self, data: bytes) -> None:
        self._note(data)
        self.transport.write(data)

    def eof_received(self) -> bool:
        self._note("eof")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._note("lost")


def play(during: Callable[[DistantProtocol], object]) -> tuple[Server, Wire]:
    server, wire = Server(), Wire()

    async def main() -> None:
        protocol = DistantProtocol(server, ROUND_TRIP)
        protocol.connection_made(wire)
        during(protocol)
        await asyncio.sleep(10)

    run(main())
    return server, wire


def test_an_answer_takes_a_round_trip_once_the_connection_is_made() -> None:
    async def main() -> None:
        protocol = DistantProtocol(server, ROUND_TRIP)
        protocol.connection_made(wire)
        await asyncio.sleep(1)
        protocol.data_received(b"a")
        await asyncio.sleep(1)

    server, wire = Server(), Wire()
    run(main())
    assert server.seen == [(0.2, "made"), (1.05, b"a")]
    assert wire.left == [(1.1, b"a")]


def test_what_is_sent_together_arrives_together_and_in_order() -> None:
    def during(protocol: DistantProtocol) -> None:
        for number in range(100):
            protocol.data_received(b"%d" % number)

    server, wire = play(during)
    assert server.seen == [(0.2, "made"), *((0.2, b"%d" % number) for number in range(100))]
    assert wire.left == [(0.25, b"%d" % number) for number in range(100)]


def test_the_end_of_a_connection_overtakes_nothing() -> None:
    def during(protocol: DistantProtocol) -> None:
        protocol.data_received(b"a")
        assert protocol.eof_received()

    server, wire = play(during)
    assert [what for _, what in server.seen] == ["made", b"a", "eof"]
    assert [what for _, what in wire.left] == [b"a", "closed"]


def test_what_came_before_a_connection_was_lost_still_arrives_and_nothing_leaves() -> None:
    def during(protocol: DistantProtocol) -> None:
        protocol.data_received(b"a")
        protocol.connection_lost(None)

    server, wire = play(during)
    assert [what for _, what in server.seen] == ["made", b"a", "lost"]
    assert wire.left == []


def test_what_was_written_before_a_close_still_leaves_and_nothing_after() -> None:
    async def main() -> None:
        protocol = DistantProtocol(server, ROUND_TRIP)
        protocol.connection_made(wire)
        await asyncio.sleep(1)
        server.transport.write(bytearray(b"goodbye"))
        assert server.transport.get_write_buffer_size() == 7
        server.transport.close()
        server.transport.close()
        assert server.transport.is_closing()
        server.transport.write(b"lost")
        await asyncio.sleep(1)
        assert server.transport.get_write_buffer_size() == 0

    server, wire = Server(), Wire()
    run(main())
    assert [what for _, what in wire.left] == [b"goodbye", "closed"]


def test_an_abort_does_not_wait() -> None:
    async def main() -> None:
        protocol = DistantProtocol(server, ROUND_TRIP)
        protocol.connection_made(wire)
        await asyncio.sleep(1)
        server.transport.write(b"never")
        server.transport.abort()
        await asyncio.sleep(1)

    server, wire = Server(), Wire()
    run(main())
    assert wire.left == [(1.0, "aborted")]


def test_a_call_put_in_by_a_call_waits_like_any_other() -> None:
    async def main() -> list[float]:
        loop, made = asyncio.get_running_loop(), list[float]()
        line = DelayLine(loop, 1.0)

        def again() -> None:
            made.append(loop.time())
            if len(made) < 3:
                line.put(again)

        line.put(again)
        await asyncio.sleep(10)
        return made

    assert run(main()) == [1.0, 2.0, 3.0]


def test_without_a_distance_nothing_is_put_between() -> None:
    assert distant(Server, 0.0) is Server
