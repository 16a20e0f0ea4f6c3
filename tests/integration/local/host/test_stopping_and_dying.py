"""What becomes of messages in flight when their host is stopped or killed, or their worker ends.

What the real host does is from running it, and from the source that each test names.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from azure.servicebus import ServiceBusMessage

from tests.integration.local.host.conftest import Bus, StartHost, until

AT_ONCE = 4
PREAMBLE = """
import asyncio, os, pathlib
from typing import List
import azure.functions as func

app = func.FunctionApp()
go = pathlib.Path(os.environ["GO"])

def note(*words):
    with pathlib.Path(os.environ["OUT"]).open("a") as file:
        print(*words, file=file)
"""
WAITING = """
@app.service_bus_queue_trigger("message", connection="BUS", queue_name="%QUEUE%")
async def take(message: func.ServiceBusMessage) -> None:
    note("begin", message.message_id, message.delivery_count, os.getpid())
    while not go.exists():
        await asyncio.sleep(0.01)
    note("end", message.message_id, message.delivery_count, os.getpid())
"""
BATCHES = """
@app.service_bus_queue_trigger(
    "messages", connection="BUS", queue_name="%QUEUE%", cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY
)
async def take(messages: List[func.ServiceBusMessage]) -> None:
    for message in messages:
        note("begin", message.message_id, message.delivery_count, os.getpid())
    while not go.exists():
        await asyncio.sleep(0.01)
    for message in messages:
        note("end", message.message_id, message.delivery_count, os.getpid())
"""
# The first delivery of one message never ends, that of its neighbour begins later.
HANGING = """
@app.service_bus_queue_trigger("message", connection="BUS", queue_name="%QUEUE%")
async def take(message: func.ServiceBusMessage) -> None:
    note("begin", message.message_id, message.delivery_count, os.getpid())
    while message.delivery_count == 1:
        await asyncio.sleep(0.01)
    note("end", message.message_id, message.delivery_count, os.getpid())
"""

REQUESTS = """
@app.route(auth_level=func.AuthLevel.ANONYMOUS)
async def take(req: func.HttpRequest) -> func.HttpResponse:
    note("begin", "request", 0, os.getpid())
    while not go.exists():
        await asyncio.sleep(0.01)
    return func.HttpResponse(status_code=202)
"""


@dataclass(frozen=True)
class Noted:
    """A line that a function wrote."""

    what: str
    id: str
    deliveries: int
    worker: int


class Notes:
    """What the functions of a host wrote, and the file that lets them go on."""

    def __init__(self, folder: Path, bus: Bus, queue: str) -> None:
        self.go = folder / "go"
        self._out = folder / "out"
        self.settings = {
            "BUS": bus.connection_string,
            "QUEUE": queue,
            "OUT": str(self._out),
            "GO": str(self.go),
        }

    def all(self, what: str) -> list[Noted]:
        lines = self._out.read_text().splitlines() if self._out.exists() else []
        found = [line.split() for line in lines]
        return [Noted(one[0], one[1], int(one[2]), int(one[3])) for one in found if one[0] == what]

    def ids(self, what: str) -> list[str]:
        return sorted(one.id for one in self.all(what))


async def send(bus: Bus, queue: str, count: int) -> list[str]:
    ids = [f"m{number}" for number in range(count)]
    async with bus.client() as client, client.get_queue_sender(queue) as sender:
        await sender.send_messages([ServiceBusMessage("x", message_id=one) for one in ids])
    return ids


def options(**more: object) -> dict[str, object]:
    return {"extensions": {"serviceBus": {"maxConcurrentCalls": AT_ONCE}}, **more}


async def test_a_stop_repeats_what_is_in_hand_and_takes_no_more(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    """Seen on the real host: 600 messages reached the partner 632 times, 32 being in flight.

    azure-sdk-for-net: ServiceBusListener.StopAsync cancels the token that
    MessageProcessor.CompleteProcessingMessageAsync then looks at, function or not; issue 32666.
    """
    notes = Notes(tmp_path, bus, "messages")
    async with start_host(PREAMBLE + WAITING, options(), **notes.settings) as host:
        ids = await send(bus, "messages", 2 * AT_ONCE)
        await until(lambda: len(notes.all("begin")) == AT_ONCE)
        host.process.terminate()
        await asyncio.sleep(1)  # longer than a stop may go unnoticed
        notes.go.touch()
        code, log = await host.ended()
    assert code == 0, log
    in_hand = ids[:AT_ONCE]
    assert notes.ids("begin") == notes.ids("end") == in_hand
    assert log.count("(Succeeded") == AT_ONCE
    assert log.count("is repeated because of the stop") == AT_ONCE
    assert bus.server
    # Nothing waits for a lock to run out.
    assert bus.server.state()["messages"].active == 2 * AT_ONCE
    async with start_host(PREAMBLE + WAITING, options(), **notes.settings):
        await until(lambda: bus.left() == 0)
    assert notes.ids("end") == sorted(ids + in_hand)
    assert {one.deliveries for one in notes.all("end") if one.id not in in_hand} == {1}
    assert {one.deliveries for one in notes.all("end")[AT_ONCE:] if one.id in in_hand} == {2}


async def test_a_stop_repeats_no_batch(bus: Bus, start_host: StartHost, tmp_path: Path) -> None:
    """ServiceBusListener.TriggerAndCompleteMessagesInternal: "allow autocompletion to finish"."""
    notes = Notes(tmp_path, bus, "messages")
    async with start_host(PREAMBLE + BATCHES, **notes.settings) as host:
        await send(bus, "messages", 3)
        await until(lambda: bool(notes.all("begin")))
        host.process.terminate()
        await asyncio.sleep(1)
        notes.go.touch()
        code, log = await host.ended()
    assert code == 0, log
    done = notes.ids("end")
    assert done
    assert bus.left() == 3 - len(done)


async def test_a_function_that_outlasts_a_stop_leaves_its_message_locked(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    """Whoever stops a host kills it after a while; what is in flight is then as after any kill."""
    notes = Notes(tmp_path, bus, "messages")
    async with start_host(PREAMBLE + WAITING, options(), **notes.settings) as host:
        await send(bus, "messages", 1)
        await until(lambda: bool(notes.all("begin")))
        host.process.terminate()
        code, log = await host.ended()
    assert code == 0, log
    assert notes.all("end") == []
    assert bus.server
    assert bus.server.state()["messages"].locked == 1


async def test_a_killed_host_repeats_what_was_in_hand_when_its_locks_run_out(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    """Seen on the real host: 32 of 600 twice, after the lock's minute; here it is two seconds.

    Microsoft Learn, "Message transfers, locks, and settlement": a lock outlives its link.
    """
    notes = Notes(tmp_path, bus, "brief")
    async with start_host(PREAMBLE + WAITING, options(), **notes.settings) as host:
        ids = await send(bus, "brief", 2 * AT_ONCE)
        await until(lambda: len(notes.all("begin")) == AT_ONCE)
        host.process.kill()
        await host.process.wait()
    assert bus.server
    assert bus.server.state()["brief"].locked >= AT_ONCE
    notes.go.touch()
    async with start_host(PREAMBLE + WAITING, options(), **notes.settings):
        await until(lambda: bus.left("brief") == 0)
    assert notes.ids("end") == ids
    repeated = {one.id for one in notes.all("end") if one.deliveries > 1}
    assert set(ids[:AT_ONCE]) <= repeated


async def test_a_killed_worker_repeats_what_was_in_hand_at_once(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    """Seen on the real host: another worker after 0.3 s, the 32 calls fail and are abandoned.

    azure-functions-host: GrpcWorkerChannel.HandleWorkerProcessExited fails the calls in flight.
    """
    notes = Notes(tmp_path, bus, "messages")
    async with start_host(PREAMBLE + WAITING, options(), **notes.settings):
        ids = await send(bus, "messages", 2 * AT_ONCE)
        await until(lambda: len(notes.all("begin")) == AT_ONCE)
        first = notes.all("begin")[0].worker
        os.kill(first, signal.SIGKILL)
        notes.go.touch()
        # The lock lasts longer than this waits.
        await until(lambda: bus.left() == 0)
    assert notes.ids("end") == ids
    assert first not in {one.worker for one in notes.all("end")}
    repeated = {one.id for one in notes.all("end") if one.deliveries > 1}
    assert repeated == set(ids[:AT_ONCE])


async def test_a_function_that_runs_for_too_long_repeats_itself_and_its_neighbours(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    """Seen on the real host: each call ends at its own timeout, and is abandoned then.

    azure-functions-host: WebScriptHostExceptionHandler.OnTimeoutExceptionAsync restarts the worker;
    RpcFunctionInvocationDispatcher disposes of its channel and fails none of its calls.
    """
    notes = Notes(tmp_path, bus, "messages")
    host_json = options(functionTimeout="00:00:03")
    async with start_host(PREAMBLE + HANGING, host_json, **notes.settings) as host:
        await send(bus, "messages", 1)
        await until(lambda: bool(notes.all("begin")))
        await asyncio.sleep(1.5)
        async with bus.client() as client, client.get_queue_sender("messages") as sender:
            await sender.send_messages(ServiceBusMessage("x", message_id="neighbour"))
        await until(lambda: bus.left() == 0)
        host.process.terminate()
        _, log = await host.ended()
    assert [(one.id, one.deliveries) for one in notes.all("end")] == [("m0", 2), ("neighbour", 2)]
    old, new = notes.all("begin")[0].worker, notes.all("end")[0].worker
    assert old != new
    assert [one.worker for one in notes.all("begin")] == [old, old, new, new]
    # The neighbour's timeout came when its worker was gone already, and cost no other one.
    assert log.count("has ended; another one is started") == 1
    assert log.count("it ran for more than 3 s") == 2


async def test_requests_in_hand_get_their_answers_at_a_stop(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    """Seen on the real host: a sender that was stopped responded to all requests in flight."""
    notes = Notes(tmp_path, bus, "messages")
    async with (
        start_host(PREAMBLE + REQUESTS, **notes.settings) as host,
        aiohttp.ClientSession(host.url) as session,
    ):
        calls = [asyncio.create_task(status(session)) for _ in range(AT_ONCE)]
        await until(lambda: len(notes.all("begin")) == AT_ONCE)
        host.process.terminate()
        await asyncio.sleep(1)
        notes.go.touch()
        assert await asyncio.gather(*calls) == [202] * AT_ONCE
        code, log = await host.ended()
    assert code == 0, log


async def status(session: aiohttp.ClientSession) -> int:
    async with session.post("/api/take") as answer:
        return answer.status
