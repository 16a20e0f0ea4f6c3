"""The host and its worker are two processes: what one does when the other ends, and in what order.

What the real host does is from running it, and from RpcFunctionInvocationDispatcher of
azure-functions-host.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest
from azure.servicebus import ServiceBusMessage

from tests.integration.local.host.conftest import Bus, RunningHost, StartHost, until

CODE = """
import asyncio, json, logging, os, threading, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route()
async def pid(req: func.HttpRequest) -> str:
    return str(os.getpid())

@app.route()
async def forever(req: func.HttpRequest) -> str:
    await asyncio.Event().wait()

@app.route()
async def blocked(req: func.HttpRequest) -> str:
    while True:
        time.sleep(1)

waiting = {"async": [], "sync": []}

@app.route()
async def gathered(req: func.HttpRequest) -> str:
    count = int(req.params["count"])
    gate = asyncio.Event()
    waiting["async"].append(gate)
    if len(waiting["async"]) == count:
        for one in waiting["async"]:
            one.set()
    await gate.wait()
    return "all were here at once"

barrier = threading.Barrier(int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "1")))

@app.route()
def threads(req: func.HttpRequest) -> str:
    barrier.wait(20)
    return threading.current_thread().name

@app.route()
async def known(req: func.HttpRequest, context: func.Context) -> str:
    trace = context.trace_context
    return json.dumps([context.function_name, context.invocation_id, context.function_directory,
                       trace.trace_parent, trace.trace_state, context.retry_context.retry_count])

@app.route()
async def reported(req: func.HttpRequest) -> str:
    print("printed")
    logging.getLogger("mine").info("logged")
    logging.getLogger("quiet").info("not logged")
    return ""

@app.route()
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(b"\\x00\\xff", status_code=201, headers={"Set-Cookie": "a=1; Path=/"})
"""
FOREVER = """
import asyncio, os, pathlib
import azure.functions as func

app = func.FunctionApp()

@app.service_bus_queue_trigger("message", connection="BUS", queue_name="messages")
async def take(message: func.ServiceBusMessage) -> None:
    with pathlib.Path(os.environ["OUT"]).open("a") as file:
        file.write(f"{os.getpid()} {message.delivery_count}\\n")
    if message.delivery_count == 1:
        await asyncio.Event().wait()
"""


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # Nobody has to wait for it: its parent may be gone.
    return Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text()


async def text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(f"/api/{path}") as answer:
        assert answer.status == 200, path
        return await answer.text()


async def status(session: aiohttp.ClientSession, path: str) -> tuple[int, bytes]:
    async with session.get(f"/api/{path}") as answer:
        return answer.status, await answer.read()


async def in_hand(host: RunningHost, function: str, count: int = 1) -> None:
    """Wait until the log says that so many calls have begun."""
    assert host.process.stderr
    for _ in range(count):
        while f"Executing 'Functions.{function}'".encode() not in (
            line := await host.process.stderr.readline()
        ):
            assert line, "the host has ended"


async def test_the_worker_is_a_process_of_its_own(start_host: StartHost) -> None:
    async with start_host(CODE) as host, aiohttp.ClientSession(host.url) as session:
        assert int(await text(session, "pid")) != host.process.pid


async def test_calls_run_at_once(start_host: StartHost) -> None:
    async with (
        start_host(CODE, PYTHON_THREADPOOL_THREAD_COUNT="12") as host,
        aiohttp.ClientSession(host.url) as session,
    ):
        async with asyncio.timeout(30):
            await asyncio.gather(*(text(session, "gathered?count=64") for _ in range(64)))
            names = await asyncio.gather(*(text(session, "threads") for _ in range(12)))
        assert len(set(names)) == 12


async def test_a_function_learns_of_its_call(start_host: StartHost, tmp_path: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "tracestate": "a=b"}
    async with (
        start_host(CODE) as host,
        aiohttp.ClientSession(host.url, headers=headers) as session,
    ):
        name, invocation, folder, parent, state, retries = json.loads(await text(session, "known"))
        assert (name, folder, state, retries) == ("known", str(tmp_path), "a=b", 0)
        assert len(invocation) == 36
        assert parent.split("-")[1::2] == [trace, "01"]
        assert parent.split("-")[2] != "b7ad6b7169203331"


async def test_what_functions_say_is_in_the_app_log(start_host: StartHost) -> None:
    levels: dict[str, object] = {
        "logging": {"logLevel": {"default": "Information", "quiet": "Error"}}
    }
    async with start_host(CODE, levels) as host, aiohttp.ClientSession(host.url) as session:
        await text(session, "reported")
        host.process.terminate()
        code, log = await host.ended()
    assert code == 0
    assert "printed\n" in log
    assert "INFO    mine: logged\n" in log
    assert "not logged" not in log
    assert "Executed 'Functions.reported' (Succeeded" in log


async def test_answers_pass_as_they_are(start_host: StartHost) -> None:
    async with (
        start_host(CODE) as host,
        aiohttp.ClientSession(host.url) as session,
        session.get("/api/cookies") as answer,
    ):
        assert (answer.status, await answer.read()) == (201, b"\x00\xff")
        assert answer.headers["set-cookie"] == "a=1; Path=/"


@pytest.mark.parametrize("function", ["forever", "blocked"])
async def test_a_worker_that_is_killed_fails_its_calls_and_another_one_comes(
    start_host: StartHost, function: str
) -> None:
    async with start_host(CODE) as host, aiohttp.ClientSession(host.url) as session:
        first = int(await text(session, "pid"))
        calls = [asyncio.create_task(status(session, function)) for _ in range(5)]
        await in_hand(host, function, 5)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            assert await asyncio.gather(*calls) == [(500, b"")] * 5
            # A call while there is none waits for the next.
            assert int(await text(session, "pid")) != first


async def test_messages_of_a_killed_worker_are_given_back(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    async with start_host(FOREVER, BUS=bus.connection_string, OUT=str(out)):
        async with bus.client() as client, client.get_queue_sender("messages") as sender:
            await sender.send_messages(ServiceBusMessage("x"))
        await until(out.exists)
        os.kill(int(out.read_text().split()[0]), signal.SIGKILL)
        # The lock lasts longer than this waits: it was abandoned.
        await until(lambda: bus.left() == 0)
    (first, once), (second, twice) = (line.split() for line in out.read_text().splitlines())
    assert (once, twice) == ("1", "2")
    assert first != second


@pytest.mark.parametrize("function", ["forever", "blocked"])
async def test_a_worker_ends_with_its_host(start_host: StartHost, function: str) -> None:
    async with start_host(CODE) as host, aiohttp.ClientSession(host.url) as session:
        worker = int(await text(session, "pid"))
        call = asyncio.create_task(status(session, function))
        await in_hand(host, function)
        host.process.kill()
        await until(lambda: ended(worker))
        with pytest.raises(aiohttp.ClientError):
            await call


async def test_a_stop_ends_a_worker_that_does_not_end_by_itself(start_host: StartHost) -> None:
    options: dict[str, object] = {"functionTimeout": "00:00:05"}
    async with start_host(CODE, options) as host, aiohttp.ClientSession(host.url) as session:
        worker = int(await text(session, "pid"))
        call = asyncio.create_task(status(session, "blocked"))
        await in_hand(host, "blocked")
        host.process.terminate()
        code, _ = await host.ended()
        assert await call == (500, b"")
        await until(lambda: ended(worker))
    assert code == 0


@pytest.mark.parametrize("function", ["forever", "blocked"])
async def test_a_function_that_runs_for_too_long_costs_the_worker_and_no_neighbour_its_time(
    start_host: StartHost, function: str
) -> None:
    options: dict[str, object] = {"functionTimeout": "00:00:05"}
    async with start_host(CODE, options) as host, aiohttp.ClientSession(host.url) as session:
        first = int(await text(session, "pid"))
        early = asyncio.create_task(status(session, "forever"))
        await in_hand(host, "forever")
        await asyncio.sleep(1)
        asked = time.monotonic()
        late = asyncio.create_task(status(session, function))
        await in_hand(host, function)
        assert not early.done(), "the machine is too slow: both must run at once"
        assert await early == (500, b"")
        second = int(await text(session, "pid"))
        assert second != first
        await until(lambda: ended(first))
        assert await late == (500, b"")
        assert time.monotonic() - asked >= 5, "it has all of its own time"
        # The late one was the old worker's, so the new one stays.
        assert int(await text(session, "pid")) == second


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("import nothere", "ModuleNotFoundError: No module named 'nothere'"),
        ("import sys; sys.exit(3)", "the worker ended with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "the worker ended with code -9"),
        ("app = 1", "ValueError: Could not find top level function app instances"),
        ("def", "SyntaxError: invalid syntax"),
    ],
)
async def test_an_app_that_cannot_be_loaded_is_refused_with_the_reason(
    start_host: StartHost, code: str, reason: str
) -> None:
    async with start_host(code) as host:
        ended, log = await host.ended()
    assert ended == 2
    assert f"local.host: {reason}" in log
