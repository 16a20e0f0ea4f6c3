"""Clients that never end what they begin, on every port: the others are served all the while."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from local.bus.amqp.frames import HEADER, SASL
from local.net.loopback import CONNECTIONS
from tests.attacks.attacker import BUS, Attacker
from tests.pipeline.cloud_process import Running, running

pytestmark = pytest.mark.long

# MB that a process may come to hold, and what each port adds that is flooded at the same time: what
# asyncio, TLS and the parsers buffer of three floods, of which gigabytes are sent.
_MEMORY, _MEMORY_OF_PORT = 150, 40
_PATIENCE = 150
ABOVE = 50  # connections more than a port has
_EACH = 5  # connections of each kind to each port

PLAIN = ["sender", "receiver", "tracker", "identity", "control", "page"]
NEVER_ENDING = {
    "nothing": b"",
    "a header": b"POST /api/messages HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
    "a body": b"POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\n\r\n",
    "chunks": b"PUT /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "amqp": HEADER[SASL] + b"\x00\x00\xff\xff\x02\x01\x00\x00",
}


@dataclass(frozen=True)
class Place:
    name: str
    port: int
    tls: bool
    http: bool


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cloud with everything that listens, machines too."""
    folder = tmp_path_factory.mktemp("cloud") / "folder"
    with running(folder, "machines.snapshot.json", "--log-level", "debug") as up:
        yield up


def places(cloud: Running) -> list[Place]:
    def port(url: object) -> int:
        return urlsplit(str(url)).port or 0

    found = [Place(name, port(cloud.endpoints[name]), tls=False, http=True) for name in PLAIN]
    found += [Place(n, port(u), tls=True, http=True) for n, u in cloud.endpoints["vaults"].items()]
    machines = cloud.endpoints["machines"].items()
    found += [Place(n, port(u), tls=False, http=True) for n, u in machines]
    for name in ("partner", "administration"):
        found.append(Place(name, port(cloud.endpoints[name]), tls=True, http=True))
    found.append(Place("bus", port(cloud.endpoints["bus"]), tls=True, http=False))
    found.append(Place("partner_bus", port(cloud.endpoints["partner_bus"]), tls=False, http=False))
    groups = {"vaults", "machines"}
    listening = {*(cloud.endpoints.keys() - groups - {"ca"})}
    listening |= {name for group in groups for name in cloud.endpoints[group]}
    assert {one.name for one in found} == listening, "something listens and is not attacked"
    return found


async def drip(place: Place, kind: str, cloud: Running, *, inside_tls: bool) -> None:
    """Begin something, go on with it byte by byte, and return when the other side hangs up."""
    context = cloud.tls if inside_tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port, ssl=context)
    reading = asyncio.create_task(_read_all(reader))
    try:
        writer.write(NEVER_ENDING[kind])
        while not reading.done():
            await asyncio.wait([reading], timeout=0.5)
            if kind != "nothing":
                writer.write(b"0")
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        reading.cancel()
        writer.transport.abort()


async def _read_all(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass


async def flood(place: Place, kind: str, cloud: Running) -> None:
    """Send without end and as fast as it goes, until the other side hangs up."""
    context = cloud.tls if place.tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port, ssl=context)
    reading = asyncio.create_task(_read_all(reader))
    try:
        writer.write(NEVER_ENDING[kind])
        while not reading.done():
            writer.write(b"0" * 65536)
            await writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    finally:
        reading.cancel()
        writer.transport.abort()


async def served(cloud: Running, attacker: Attacker) -> None:
    """Have every service do its work once."""
    async with cloud.session() as session:
        ids = {await cloud.send(session, b"in between", "text/plain") for _ in range(3)}
        for app in ("receiver", "tracker"):
            async with session.get(f"{cloud.endpoints[app]}/api/health") as answer:
                assert answer.status == 200
    await cloud.received(ids)
    assert (await attacker.vault(await attacker.token("encrypt"))).status == 200
    own = await attacker.token("sender_bus", BUS)
    assert await attacker.put_token(own) == (202, "attached")
    apps = (await cloud.control("GET", "/status"))["apps"]
    assert {app["state"] for app in apps.values()} == {"up"}


def memory(cloud: Running) -> list[int]:
    """Return the peak memory of the cloud, each of its apps and their workers, in MB."""
    processes, found = [int((cloud.folder / "lock").read_text())], []
    for process in processes:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        processes.extend(map(int, children))
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM"))
        found.append(int(line.split()[1]) // 1024)
    return found


@pytest.fixture
async def siege(cloud: Running) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Have every beginning at every port that takes it, several times."""
    tasks = []
    for place in places(cloud):
        for kind in NEVER_ENDING:
            inside = place.tls and kind != "tls" and (kind == "amqp") != place.http
            for _ in range(_EACH):
                dripping = drip(place, kind, cloud, inside_tls=inside)
                tasks.append(asyncio.create_task(dripping, name=f"{place.name} {kind}"))
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_never_ends_is_broken_off_and_the_others_are_served(
    cloud: Running, attacker: Attacker, siege: list[asyncio.Task[None]]
) -> None:
    done: set[asyncio.Task[None]] = set()
    patience = asyncio.get_running_loop().time() + _PATIENCE
    while len(done) < len(siege):
        await served(cloud, attacker)
        done, left = await asyncio.wait(siege, timeout=2)
        if asyncio.get_running_loop().time() > patience:
            pytest.fail(f"still there: {sorted({task.get_name() for task in left})}")
    for task in done:
        task.result()


async def test_floods_are_stopped_and_nothing_is_hoarded(
    cloud: Running, attacker: Attacker
) -> None:
    floods = [
        flood(place, kind, cloud)
        for place in places(cloud)
        for kind in (["a header", "a body", "chunks"] if place.http else ["amqp", "nothing"])
    ]
    tasks = [asyncio.create_task(one) for one in floods]
    async with asyncio.timeout(_PATIENCE):
        await served(cloud, attacker)
        await asyncio.gather(*tasks)
        await served(cloud, attacker)
    if sys.platform == "linux":
        assert max(memory(cloud)) < _MEMORY + _MEMORY_OF_PORT * len(places(cloud))


async def test_a_port_has_so_many_connections_and_no_more(
    cloud: Running, attacker: Attacker
) -> None:
    port = urlsplit(cloud.endpoints["tracker"]).port
    clients = []
    # One after another: many at once would be dropped by the kernel before anybody counts them.
    for _ in range(CONNECTIONS + ABOVE):
        with contextlib.suppress(ConnectionError):
            clients.append(await asyncio.open_connection("127.0.0.1", port))
    try:
        # Other ports are not touched by what happens at this one.
        assert (await attacker.vault(await attacker.token("encrypt"))).status == 200
        # Those above the limit, the last ones, are refused: the first are not waited out.
        async with asyncio.timeout(_PATIENCE):
            for reader, _ in clients[CONNECTIONS:]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read(1) == b""
        assert not any(reader.at_eof() for reader, _ in clients[: CONNECTIONS // 2])
    finally:
        for _, writer in clients:
            writer.transport.abort()
    async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{cloud.endpoints['tracker']}/api/health") as answer:
                    assert answer.status == 200
                    return
            await asyncio.sleep(0.1)


OVERSIZED = {
    "a long line": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
    b"Content-Length: 4\r\n\r\nabcd",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below nothing": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("kind", OVERSIZED)
async def test_what_is_too_large_or_ambiguous_is_refused(
    cloud: Running, attacker: Attacker, kind: str
) -> None:
    for place in places(cloud):
        if not place.http:
            continue
        context = cloud.tls if place.tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port, ssl=context)
        writer.write(OVERSIZED[kind])
        async with asyncio.timeout(_PATIENCE):
            answer = (await reader.readline()).decode()
        writer.transport.abort()
        assert answer == "" or answer.split()[1].startswith("4"), (place.name, answer)
