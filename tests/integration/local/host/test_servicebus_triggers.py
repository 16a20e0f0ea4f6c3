from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from tests.integration.local.host.conftest import Bus, StartHost, until

PREAMBLE = """
import asyncio, json, os, pathlib, time
from typing import List
import azure.functions as func

app = func.FunctionApp()
out = pathlib.Path(os.environ["OUT"])

def note(text):
    with out.open("a") as file:
        file.write(text + "\\n")

trigger = app.service_bus_queue_trigger("message", connection="BUS", queue_name="%QUEUE%")
"""
SHOW = """
@trigger
async def take(message: func.ServiceBusMessage) -> None:
    kind = func.ServiceBusMessage
    names = [name for name in dir(kind) if isinstance(getattr(kind, name), property)]
    seen = {name: getattr(message, name) for name in names}
    seen["body"] = message.get_body().hex()
    note(json.dumps(seen, default=str))
"""
FAIL_FIRST = """
@trigger
def take(message: func.ServiceBusMessage) -> None:
    note(str(message.delivery_count))
    if message.delivery_count == 1:
        raise RuntimeError("not yet")
"""
NOTE_ID = """
@trigger
async def take(message: func.ServiceBusMessage) -> None:
    await asyncio.sleep(0.05)
    note(message.message_id)
"""
SLOW = """
@trigger
async def take(message: func.ServiceBusMessage) -> None:
    note("begin")
    await asyncio.sleep(0.3)
    note("end")
"""

MANY = """
@app.service_bus_queue_trigger(
    "messages", connection="BUS", queue_name="%QUEUE%", cardinality=func.Cardinality.MANY,
    data_type=func.DataType.BINARY, max_message_batch_size=4
)
async def take(messages: List[func.ServiceBusMessage]) -> None:
    note(" ".join(f"{m.message_id}={m.get_body().decode()}" for m in messages))
    await asyncio.sleep(0.2)
    if messages[0].delivery_count == 1 and len(messages) > 2:
        raise RuntimeError("not yet")
"""

LENGTHS = """
@app.service_bus_queue_trigger(
    "messages", connection="BUS", queue_name="%QUEUE%", cardinality=func.Cardinality.MANY,
    data_type=DATA_TYPE
)
async def take(messages: List[func.ServiceBusMessage]) -> None:
    for message in messages:
        note(str(len(message.get_body())))
"""


def settings(bus: Bus, out: Path, queue: str = "messages") -> dict[str, str]:
    return {"BUS": bus.connection_string, "QUEUE": queue, "OUT": str(out)}


async def send(bus: Bus, *messages: ServiceBusMessage, queue: str = "messages") -> None:
    async with bus.client() as client, client.get_queue_sender(queue) as sender:
        await sender.send_messages(list(messages))


def lines(out: Path) -> list[str]:
    return out.read_text().splitlines() if out.exists() else []


async def test_a_message_is_handed_over_with_what_the_real_host_gives(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    message = ServiceBusMessage(
        b"text \xff",
        application_properties={"n": 1, "s": "ü", "b": True},
        content_type="application/jose",
        correlation_id="c",
        message_id="m",
        subject="s",
        reply_to="r",
        to="t",
        time_to_live=timedelta(hours=1),
    )
    async with start_host(PREAMBLE + SHOW, **settings(bus, out)) as host:
        assert host.functions == ["take"]
        await send(bus, message)
        await until(lambda: bool(lines(out)) and bus.left() == 0)
    seen = json.loads(lines(out)[0])
    metadata = seen.pop("metadata")
    enqueued = datetime.fromisoformat(seen.pop("enqueued_time_utc"))
    expires = datetime.fromisoformat(seen.pop("expires_at_utc"))
    assert datetime.fromisoformat(seen.pop("expiration_time")) == expires
    # Without a zone, which is UTC: DateTimeOffset.DateTime has none, and the converter adds none.
    assert (enqueued.tzinfo, expires.tzinfo) == (None, None)
    assert abs(datetime.now(UTC).replace(tzinfo=None) - enqueued) < timedelta(minutes=1)
    assert expires - enqueued == timedelta(hours=1)
    assert {name: value for name, value in seen.items() if value is not None} == {
        "body": "text \ufffd".encode().hex(),
        "application_properties": {"n": 1, "s": "ü", "b": True},
        "user_properties": {"n": 1, "s": "ü", "b": True},
        "content_type": "application/jose",
        "correlation_id": "c",
        "delivery_count": 1,
        "label": "s",
        "lock_token": metadata["LockToken"],
        "message_id": "m",
        "reply_to": "r",
        "sequence_number": 1,
        "subject": "s",
        "to": "t",
    }
    assert set(metadata) == {
        *("ApplicationProperties", "ContentType", "CorrelationId", "DeliveryCount"),
        *("EnqueuedTime", "EnqueuedTimeUtc", "ExpiresAt", "ExpiresAtUtc", "Label", "LockToken"),
        *("MessageId", "ReplyTo", "SequenceNumber", "Subject", "To", "UserProperties"),
        *("MessageReceiver", "MessageSession", "MessageActions", "SessionActions"),
        *("ReceiveActions", "Client"),
    }


async def test_a_message_is_abandoned_when_the_function_raises(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    async with start_host(PREAMBLE + FAIL_FIRST, **settings(bus, out)):
        await send(bus, ServiceBusMessage("x"))
        await until(lambda: lines(out) == ["1", "2"] and bus.left() == 0)


async def test_no_more_run_at_once_than_host_json_says(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options: dict[str, object] = {"extensions": {"serviceBus": {"maxConcurrentCalls": 2}}}
    async with start_host(PREAMBLE + SLOW, options, **settings(bus, out)):
        await send(bus, *(ServiceBusMessage("x") for _ in range(6)))
        await until(lambda: len(lines(out)) == 12 and bus.left() == 0)
    running, most = 0, 0
    for line in lines(out):
        running += 1 if line == "begin" else -1
        most = max(most, running)
    assert most == 2


async def test_a_batch_is_settled_as_one(bus: Bus, start_host: StartHost, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # The trigger's own number counts, never that of host.json.
    options: dict[str, object] = {"extensions": {"serviceBus": {"maxMessageBatchSize": 2}}}
    sent = [ServiceBusMessage(f"b{n}", message_id=f"m{n}") for n in range(9)]
    async with start_host(PREAMBLE + MANY, options, **settings(bus, out)):
        await send(bus, *sent)
        await until(lambda: bus.left() == 0)
    batches = [line.split() for line in lines(out)]
    assert max(map(len, batches)) == 4
    taken = [one for batch in batches for one in batch]
    assert set(taken) == {f"m{n}=b{n}" for n in range(9)}
    failed = [one for batch in batches if len(batch) > 2 for one in batch]
    assert len(failed) > 2, "no batch failed"
    assert len(taken) > 9, "a failed batch was not delivered again"


@pytest.mark.parametrize(
    ("data_type", "poison", "reason"),
    [
        ("func.DataType.BINARY", 0, ""),
        ("func.DataType.STRING", 1, "IndexError: list index out of range"),
        ("None", 2, "exception binding parameter 'messages'"),
    ],
)
async def test_a_batch_with_poison_in_its_midst_reaches_a_function_of_bytes_alone(
    bus: Bus, start_host: StartHost, tmp_path: Path, data_type: str, poison: int, reason: str
) -> None:
    """Seen on the real host: of 300 receipts among 27 of these, 45 were dead-lettered.

    Without a data type, each body is parsed as JSON (GeneralScriptBindingProvider); as STRING,
    empty ones are left out (GrpcMessageConversionExtensions) and the library reads past the end.
    """
    out = tmp_path / "out"
    bodies = [b"[1]", b"\xff\xfe", b"", b"[" * 1200, b"[2]"]
    await send(bus, *map(ServiceBusMessage, bodies), queue="poison")
    code = PREAMBLE + LENGTHS.replace("DATA_TYPE", data_type)
    async with start_host(code, **settings(bus, out, "poison")) as host:
        await until(lambda: bus.left("poison") == bus.dead("poison"), 60)
        host.process.terminate()
        _, log = await host.ended()
    # Batches are as large as it happens: a good one may have been in one of its own.
    taken = Counter(lines(out))
    assert len(bodies) - bus.dead("poison") == taken.total()
    if poison:
        assert bus.dead("poison") >= poison
        assert reason in log
    else:
        assert taken == Counter(str(len(body)) for body in bodies)


async def test_a_body_that_does_not_bind_is_dead_lettered_without_being_called(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    async with start_host(PREAMBLE + NOTE_ID, **settings(bus, out, "poison")):
        strange = [
            AmqpAnnotatedMessage(value_body={"a": 1}),
            AmqpAnnotatedMessage(value_body=1),
            AmqpAnnotatedMessage(sequence_body=[[1, 2]]),
        ]
        async with bus.client() as client, client.get_queue_sender("poison") as sender:
            await sender.send_messages([*strange])
        await send(bus, ServiceBusMessage("x", message_id="good"), queue="poison")
        await until(lambda: bus.dead("poison") == len(strange) and bus.left("poison") == 3)
    assert lines(out) == ["good"]


async def test_it_finds_the_bus_again(bus: Bus, start_host: StartHost, tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with start_host(PREAMBLE + SHOW, **settings(bus, out)) as host:
        await bus.down()
        await bus.up()
        await send(bus, ServiceBusMessage("x"))
        await until(lambda: bool(lines(out)) and bus.left() == 0)
        host.process.terminate()
        code, log = await host.ended()
    assert code == 0, log
    assert log.count("not attached") == 1, log


async def test_no_message_is_lost_when_connections_break(
    bus: Bus, start_host: StartHost, tmp_path: Path
) -> None:
    out, ids = tmp_path / "out", {str(number) for number in range(150)}
    async with start_host(PREAMBLE + NOTE_ID, **settings(bus, out, "brief")):
        await send(bus, *(ServiceBusMessage("x", message_id=i) for i in ids), queue="brief")
        for part in (20, 60, 100):
            await until(lambda part=part: len(set(lines(out))) >= part)  # type: ignore[misc]
            assert bus.server
            bus.server.drop_connections()
        await until(lambda: bus.left("brief") == 0, 40)
    assert set(lines(out)) == ids
