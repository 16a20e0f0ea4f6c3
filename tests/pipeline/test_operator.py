"""The operator's commands, run as an operator runs them, on messages made by hand."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode

from shared.message_id import mark
from tests.pipeline.running import ROOT, SNAPSHOT, Running, running

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PLANTED = "planted-payload-that-nobody-may-see"
MANY = 2000


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = json.loads(self.out)
        return found


async def start(
    cloud: Running, *arguments: str, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    where = () if environment else ("--folder", str(cloud.folder))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops", *arguments, *where),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def end(process: asyncio.subprocess.Process) -> Ended:
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def ops(
    cloud: Running, *arguments: str, environment: Mapping[str, str] | None = None
) -> Ended:
    return await end(await start(cloud, *arguments, environment=environment))


@pytest.fixture
async def still(cloud: Running) -> AsyncIterator[Running]:
    """Give the cloud with nobody taking messages, and nothing rejected before and after."""
    await cloud.control("POST", "/apps/receiver/stop")
    yield cloud
    if await left(cloud):
        await ops(cloud, "replay", "--all")
    await taken(cloud)


async def reject(cloud: Running, messages: Iterable[ServiceBusMessage]) -> None:
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("rejected") as sender,
    ):
        waiting = list(messages)
        for first in range(0, len(waiting), 100):
            await sender.send_messages(waiting[first : first + 100])


def message(message_id: str, reason: str = "partner-refused") -> ServiceBusMessage:
    return ServiceBusMessage(
        PLANTED,
        message_id=message_id,
        content_type="application/jose",
        application_properties={
            "relay-reason": reason,
            "relay-attempts": "2",
            "relay-detail": "the partner says 400",
            "traceparent": TRACE,
        },
    )


def numbered(count: int, prefix: str) -> list[ServiceBusMessage]:
    return [message(f"{prefix}{n}.1") for n in range(count)]


@dataclass(frozen=True)
class Taken:
    id: str
    body: str
    content_type: str | None
    properties: Mapping[str, str]


async def taken(cloud: Running) -> list[Taken]:
    """Take what is on `messages` off it."""
    found: list[Taken] = []
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_receiver(
            "messages", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
    ):
        # What has left the queue may not have been handed over yet: only an empty wait is the end.
        page = None
        while page or page is None or await waiting(cloud, "messages"):
            page = await receiver.receive_messages(500, max_wait_time=1)
            for one in page:
                given = one.application_properties or {}
                properties = {to_text(k): to_text(v) for k, v in given.items()}
                body = b"".join(one.body).decode()
                found.append(Taken(one.message_id or "", body, one.content_type, properties))
    return found


def to_text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def counts(cloud: Running, queue: str) -> dict[str, int]:
    found: dict[str, int] = (await cloud.control("GET", "/status"))["queues"][queue]
    return found


async def waiting(cloud: Running, queue: str) -> int:
    return (await counts(cloud, queue))["active"]


async def operator_environment(cloud: Running) -> dict[str, str]:
    found: dict[str, str] = await cloud.control("GET", "/operators/operator/environment")
    return found


async def under_way(cloud: Running, count: int) -> None:
    """Wait until a replay has sent so many messages."""
    while await waiting(cloud, "messages") < count:  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(0.01)


async def left(cloud: Running) -> int:
    """How many messages are on `rejected`, in whatever state."""
    return sum((await counts(cloud, "rejected")).values())


async def test_rejected_messages_are_listed_without_payloads(still: Running) -> None:
    dead = ServiceBusMessage(
        PLANTED,
        message_id="crashed",
        application_properties={
            "DeadLetterReason": "MaxDeliveryCountExceeded",
            "DeadLetterErrorDescription": "10 tries \x1b[31m",
        },
    )
    await reject(still, [message("one.3"), message("two.r7.1", "schedule-used-up"), dead])
    shown = await ops(still, "rejected")
    assert shown.code == 0
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0] == ["ID", "SEQUENCE", "REASON", "ATTEMPTS", "AGE", "DETAIL"]
    assert [(line[0], line[2], line[3]) for line in lines[1:]] == [
        ("one", "partner-refused", "2"),
        ("two", "schedule-used-up", "2"),
        ("crashed", "MaxDeliveryCountExceeded", "0"),
    ]
    assert "10 tries \\x1b[31m" in shown.out
    as_json = await ops(still, "rejected", "--json")
    assert [one["id"] for one in as_json.json["messages"]] == ["one", "two", "crashed"]
    assert as_json.json["messages"][0]["detail"] == "the partner says 400"
    some = await ops(still, "rejected", "--json", "--reason", "partner-refused")
    assert [one["message_id"] for one in some.json["messages"]] == ["one.3"]
    limited = await ops(still, "rejected", "--limit", "2")
    assert len(limited.out.splitlines()) == 3
    assert "the first 2" in limited.err
    assert PLANTED not in str((shown, as_json, some, limited))


async def test_a_chosen_message_goes_again_as_it_was(still: Running) -> None:
    await reject(still, [message("before"), message("chosen.r1.2"), message("after")])
    listed = (await ops(still, "rejected", "--json")).json["messages"]
    number = listed[1]["sequence_number"]
    done = await ops(still, "replay", "chosen", "nobody", "--json")
    assert done.code == 1
    assert done.json["replayed"] == [{"id": "chosen", "sequence_number": number}]
    assert [one["id"] for one in done.json["not_done"]] == ["nobody"]
    (again,) = await taken(still)
    own_id = f"chosen.r{number}{mark(PLANTED.encode())}"
    assert again == Taken(own_id, PLANTED, "application/jose", {"traceparent": TRACE})
    rest = (await ops(still, "rejected", "--json")).json["messages"]
    assert rest == [
        {**one, "age_seconds": rest[n]["age_seconds"]}
        for n, one in enumerate([listed[0], listed[2]])
    ]
    assert (await ops(still, "replay", "before", "after")).out == "replayed 2 messages\n"


async def test_a_message_without_an_id_of_ours_goes_by_its_number(still: Running) -> None:
    await reject(still, [message("no id\nof ours")])
    (listed,) = (await ops(still, "rejected", "--json")).json["messages"]
    assert listed["id"] is None
    assert "\\n" in (await ops(still, "rejected")).out
    assert (await ops(still, "replay", f"#{listed['sequence_number']}")).code == 0
    (again,) = await taken(still)
    assert again.id == f"no id\nof ours.r{listed['sequence_number']}{mark(PLANTED.encode())}"


async def test_all_of_a_reason_go_and_the_others_stay(still: Running) -> None:
    reasons = ("partner-refused", "schedule-used-up", "unopenable-altered")
    await reject(still, [message(f"m{n}", reasons[n % 3]) for n in range(150)])
    done = await ops(still, "replay", "--all", "--reason", "schedule-used-up", "--json")
    assert done.code == 0
    went = {f"m{n}" for n in range(1, 150, 3)}
    assert {one["id"] for one in done.json["replayed"]} == went
    assert {one.id.partition(".")[0] for one in await taken(still)} == went
    assert await left(still) == 100
    assert (await ops(still, "replay", "--all", "--reason", "unheard-of")).code == 0
    assert await left(still) == 100
    assert (await ops(still, "replay", "--all")).out == "replayed 100 messages\n"


async def test_a_message_is_dropped_when_that_is_certain(still: Running) -> None:
    await reject(still, [message("keep"), message("drop")])
    unasked = await ops(still, "drop", "drop")
    assert (unasked.code, unasked.out) == (2, "")
    assert "--yes" in unasked.err
    for answer, code, remain in [(b"n\n", 1, 2), (b"y\n", 0, 1)]:
        assert drop_on_a_terminal(still, answer) == code
        assert await left(still) == remain
    dropped = await ops(still, "drop", "drop", "--yes")
    assert dropped.code == 1
    assert "there is no such rejected message" in dropped.err
    done = await ops(still, "drop", "keep", "--yes", "--json")
    assert [one["id"] for one in done.json["dropped"]] == ["keep"]
    assert await waiting(still, "messages") == 0


def drop_on_a_terminal(cloud: Running, answer: bytes) -> int:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ops", "drop", "drop", "--folder", str(cloud.folder)]
    try:
        with subprocess.Popen(
            command, cwd=ROOT, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            os.write(ours, answer)
            _, told = process.communicate(timeout=60)
        assert b"Drop 1 for good?" in told
        assert b"drop" in told.splitlines()[1]
        return process.returncode
    finally:
        os.close(ours)
        os.close(theirs)


async def test_an_interrupted_replay_is_finished_by_the_next(still: Running) -> None:
    await reject(still, numbered(MANY, "i"))
    first = await start(still, "replay", "--all", "--json")
    await under_way(still, 100)
    first.send_signal(signal.SIGINT)
    ended = await end(first)
    assert ended.code == 1
    assert "stopping" in ended.err
    done, not_done = ended.json["replayed"], ended.json["not_done"]
    assert 0 < len(done) < MANY
    assert len(done) + len(not_done) == MANY
    assert {one["why"] for one in not_done} == {"interrupted"}
    assert await left(still) == len(not_done)
    second = await ops(still, "replay", "--all")
    assert second.out == f"replayed {len(not_done)} messages\n"
    arrived = [one.id for one in await taken(still)]
    assert len(arrived) == len(set(arrived)) == MANY


async def test_progress_is_shown_on_a_terminal_only(still: Running) -> None:
    await reject(still, numbered(120, "p"))
    assert replay_on_a_terminal(still).strip().split("\r")[-1] == "replayed 120 of 120"
    await reject(still, numbered(120, "q"))
    assert await ops(still, "replay", "--all") == Ended(0, "replayed 120 messages\n", "")


def replay_on_a_terminal(cloud: Running) -> str:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ops", "replay", "--all", "--folder", str(cloud.folder)]
    try:
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
        return os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)


async def test_two_operators_at_once_replay_each_message_once(still: Running) -> None:
    await reject(still, numbered(MANY, "t"))
    both = await asyncio.gather(*(ops(still, "replay", "--all", "--json") for _ in range(2)))
    assert [one.code for one in both] == [0, 0]
    done = [message["id"] for one in both for message in one.json["replayed"]]
    assert sorted(map(str, done)) == sorted(f"t{n}" for n in range(MANY))
    assert len(await taken(still)) == MANY
    assert await left(still) == 0


async def test_two_operators_with_different_choices(still: Running) -> None:
    """What one of them passes over is what the other one looks for."""
    await reject(still, [message(f"d{n}", "odd" if n % 2 else "even") for n in range(600)])
    choices = [("--all", "--reason", "odd"), ("--all", "--reason", "even"), ("d7", "d8", "d599")]
    ended = await asyncio.gather(*(ops(still, "replay", *choice, "--json") for choice in choices))
    done = [message["id"] for one in ended for message in one.json["replayed"]]
    assert sorted(map(str, done)) == sorted(f"d{n}" for n in range(600))
    assert [one.code for one in ended[:2]] == [0, 0]
    assert len(await taken(still)) == 600


async def test_what_is_rejected_meanwhile_is_not_replayed_in_circles(still: Running) -> None:
    """A partner that refuses still gets each message once more, not for ever."""
    await reject(still, numbered(300, "c"))
    replaying = await start(still, "replay", "--all")
    await under_way(still, 50)
    await reject(still, numbered(20, "later"))
    assert (await end(replaying)).out == "replayed 300 messages\n"
    assert await left(still) == 20


async def test_the_default_credential_does_and_another_principal_is_refused(
    still: Running,
) -> None:
    await reject(still, [message("mine")])
    environment = await operator_environment(still)
    shown = await ops(still, "rejected", "--json", environment=environment)
    assert [one["id"] for one in shown.json["messages"]] == ["mine"]
    other = await still.environment("sender")
    taken_over = environment | {
        "IDENTITY_HEADER": other["IDENTITY_HEADER"],
        "AZURE_CLIENT_ID": other["RELAY_IDENTITY_SENDER_BUS"],
    }
    for command in (["rejected"], ["replay", "--all"], ["drop", "mine", "--yes"]):
        refused = await ops(still, *command, environment=taken_over)
        assert (refused.code, refused.out) == (1, "")
        assert "has not the rights of an operator" in refused.err
        assert len(refused.err.splitlines()) == 1


async def test_where_nothing_is_it_is_told(still: Running) -> None:
    environment = await operator_environment(still)
    away = await ops(
        still, "rejected", environment=environment | {"RELAY_BUS_ENDPOINT": "sb://127.0.0.1:1"}
    )
    assert (away.code, away.out) == (1, "")
    assert "does not answer" in away.err


def test_where_is_to_be_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops", "rejected"]
    for where, why in [((), "--namespace"), (("--folder", str(tmp_path)), "no local cloud is up")]:
        told = subprocess.run(
            [*command, *where],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (told.returncode, told.stdout) == (2, "")
        assert why in told.stderr


async def test_what_a_killed_replay_held_comes_back_and_goes_once(tmp_path: Path) -> None:
    """With locks that are short, so that nobody has to wait for a minute."""
    snapshot = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    for resource in snapshot["predictedResources"]:
        if resource["type"] == "Microsoft.ServiceBus/namespaces/queues":
            resource["properties"]["lockDuration"] = "PT2S"
    path = tmp_path / "short.snapshot.json"
    path.write_text(json.dumps(snapshot))
    with running(tmp_path / "folder", str(path)) as cloud:
        await cloud.control("POST", "/apps/receiver/stop")
        await reject(cloud, numbered(800, "k"))
        first = await start(cloud, "replay", "--all")
        await under_way(cloud, 100)
        first.kill()
        await first.wait()
        remain, sent = await left(cloud), await waiting(cloud, "messages")
        assert remain > 0
        assert remain + sent >= 800
        assert (await ops(cloud, "replay", "--all")).code == 0
        assert await left(cloud) == 0
        arrived = [one.id for one in await taken(cloud)]
        assert len(arrived) == len(set(arrived)) == 800


async def test_a_healed_partner_gets_all_of_it_once_each(cloud: Running) -> None:
    """The whole way: refused by the partner, rejected, replayed, delivered under the same id."""
    await cloud.control("POST", "/apps/receiver/start")
    fault = {"at": "partner", "answer": "status", "status": 400}
    await cloud.control("POST", "/faults", json.dumps(fault))
    async with cloud.session() as session:
        bodies = {await cloud.send(session, b"%d" % n, "a/b"): b"%d" % n for n in range(40)}
    await cloud.queued("rejected", 40)
    assert (await ops(cloud, "replay", next(iter(bodies)))).code == 0
    while await left(cloud) < 40:  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(0.05)
    await cloud.control("DELETE", "/faults")
    listed = (await ops(cloud, "rejected", "--json")).json["messages"]
    assert {one["id"] for one in listed} == bodies.keys()
    assert {one["reason"] for one in listed} == {"partner-refused"}
    assert (await ops(cloud, "replay", "--all")).out == "replayed 40 messages\n"
    arrived = await cloud.received(set(bodies))
    assert {one.id: one.body for one in arrived.values()} == bodies
    assert await left(cloud) == 0


async def test_the_local_start_has_migrated_the_ledger(cloud: Running) -> None:
    ended = await ops(cloud, "migrate")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "the ledger is at version 0001 already\n"
