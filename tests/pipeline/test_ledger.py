"""What the ledger tells of messages, on each of its databases, and what happens without it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import migrations
from tests import databases, postgres
from tests.databases import AWAY
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings

SETTINGS = {
    "sender": {"RELAY_DATABASE_SECRET_SECONDS": "1"},
    "receiver": {"RELAY_RETRY_SCHEDULE": "1s,1s", "RELAY_WAIT_SECONDS": "1"},
    "tracker": {"RELAY_DATABASE_SECRET_SECONDS": "1", "RELAY_RECEIPT_WAIT_SECONDS": "1"},
}
TEXT = "text/plain"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Give the URL of a database with a ledger in it; None for the local cloud's own."""
    if request.param == "sqlite":
        yield None
        return
    try:
        with postgres.running() as server:
            migrations.upgrade(server.url())
            yield server.url()
    except postgres.NoPostgresError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cloud")
    with running(folder / "folder", with_settings(SNAPSHOT, folder, **SETTINGS)) as up:
        if database:
            asyncio.run(up.database(database))
            asyncio.run(up.control("POST", "/apps/sender/restart"))
            asyncio.run(up.control("POST", "/apps/tracker/restart"))
        yield up


@pytest.fixture
def url(cloud: Running, database: str | None) -> str:
    """Give the URL of the ledger that is in use."""
    return database or f"sqlite+aiosqlite:///{cloud.folder / 'database.sqlite3'}"


@pytest.fixture(autouse=True)
async def healed(cloud: Running) -> AsyncIterator[None]:
    yield
    await cloud.heal()


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


async def test_the_way_of_a_message_is_told(cloud: Running) -> None:
    status, content, _ = await post(cloud, b"12345")
    assert status == 202
    assert content["state"] == "queued"
    link = urlsplit(content["links"]["status"])
    assert f"{link.scheme}://{link.netloc}" == cloud.endpoints["tracker"]
    assert link.path == f"/api/messages/{content['id']}"
    entry = await cloud.entry(content["id"], "delivered")
    times = {state: datetime.fromisoformat(time) for state, time in entry.pop("times").items()}
    assert list(times) == ["accepted", "queued", "delivered"]
    assert all(time.tzinfo for time in times.values())
    assert times["accepted"] <= min(times.values())
    assert entry == {
        "id": content["id"],
        "state": "delivered",
        "attempts": 1,
        "detail": None,
        "content_type": TEXT,
        "size": 5,
        "key_version": (await cloud.versions("payload"))[-1],
    }


async def test_a_retry_and_a_rejection_are_told_with_their_reasons(cloud: Running) -> None:
    fault = await cloud.fault(service="partner", answer="status", status=503)
    message_id = await taken(cloud)
    waiting = await cloud.entry(message_id, "retrying")
    assert "503" in waiting["detail"]
    assert waiting["attempts"] >= 1
    rejected = await cloud.entry(message_id, "rejected")
    assert rejected["detail"].startswith("retries-exhausted: ")
    assert rejected["attempts"] == 3
    assert {"accepted", "queued", "retrying", "rejected"} == rejected["times"].keys()
    await cloud.control("DELETE", f"/faults/{fault}")


async def test_an_unknown_message_is_not_found(cloud: Running) -> None:
    for path in (f"/{uuid.uuid4()}", "/no%20id", "/" + "a" * 200, "/..%2F.."):
        status, problem = await cloud.ledger(path)
        assert status == 404, path
        assert problem["title"] == "Not Found"
    # No path at all: the host refuses it, and an empty body is all that it says.
    assert await cloud.ledger("/%00") == (400, None)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("state=planted", "state must be one of accepted, queued, retrying, rejected, delivered"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=%C2%B2", "limit"),
        ("after=planted", "after"),
        ("after=2026-01-01T00:00:00~a", "after"),
        ("after=2026-01-01T00:00:00%2B00:00~../x", "after"),
        ("after=0001-01-01T00:00:00%2B23:00~a", "after"),
        ("status=queued", "unknown: status"),
        ("code=x&keys=1", "unknown: keys;"),
    ],
)
async def test_a_query_that_cannot_be_answered_is_told(
    cloud: Running, query: str, told: str
) -> None:
    status, problem = await cloud.ledger(f"?{query}")
    assert status == 400
    assert told in problem["detail"]
    assert "planted" not in problem["detail"]


async def test_pages_are_stable_while_messages_arrive(cloud: Running) -> None:
    sent = {await taken(cloud, b"%d" % n) for n in range(12)}
    for message_id in sent:
        await cloud.entry(message_id, "delivered")
    listed: list[str] = []
    path: str | None = "/api/messages?state=delivered&limit=5"
    while path:
        status, page = await cloud.ledger(path.removeprefix("/api/messages"))
        assert status == 200
        assert {entry["state"] for entry in page["messages"]} == {"delivered"}
        listed += [entry["id"] for entry in page["messages"]]
        path = page["next"]
        await cloud.entry(await taken(cloud, b"meanwhile"), "delivered")
    assert len(listed) == len(set(listed)), "one stands on two pages"
    assert sent <= set(listed)
    _, everything = await cloud.ledger("?limit=200")
    times = [entry["times"]["accepted"] for entry in everything["messages"]]
    assert times == sorted(times, reverse=True)


async def test_one_key_is_one_message_however_often_and_at_once(cloud: Running) -> None:
    key = new_key()
    answers = await asyncio.gather(*(post(cloud, b"once", key) for _ in range(200)))
    assert {status for status, _, _ in answers} == {202}
    (message_id,) = {content["id"] for _, content, _ in answers}
    await cloud.entry(message_id, "delivered")
    assert await times_at_partner(cloud, message_id) == 1
    _, listed = await cloud.ledger("?limit=200")
    assert [entry["id"] for entry in listed["messages"]].count(message_id) == 1
    status, content, _ = await post(cloud, b"once", key)
    assert (status, content["id"], content["state"]) == (202, message_id, "delivered")
    assert await times_at_partner(cloud, message_id) == 1


async def test_one_key_is_one_message_for_several_senders_at_once(cloud: Running) -> None:
    """A second sender, as Azure scales them, shares nothing with the first but the ledger."""
    key = new_key()
    async with cloud.another_sender() as url:
        headers = {"Content-Type": TEXT, "Idempotency-Key": key}
        ids = set()

        async def send(at: str) -> None:
            async with (
                cloud.session() as session,
                session.post(f"{at}/api/messages", data=b"x", headers=headers) as answer,
            ):
                assert answer.status == 202
                ids.add((await answer.json())["id"])

        both = (cloud.endpoints["sender"], url)
        await asyncio.gather(*(send(both[n % 2]) for n in range(40)))
    (message_id,) = ids
    await cloud.entry(message_id, "delivered")
    assert await times_at_partner(cloud, message_id) == 1


async def test_one_key_for_another_message_is_refused(cloud: Running) -> None:
    key = new_key()
    message_id = await taken(cloud, b"one", key)
    for payload, content_type in ((b"planted", TEXT), (b"one", "text/html")):
        status, problem, _ = await post(cloud, payload, key, content_type)
        assert status == 422
        assert "new key" in problem["detail"]
        assert "planted" not in str(problem)
    await cloud.entry(message_id, "delivered")
    assert await times_at_partner(cloud, message_id) == 1


async def test_a_first_try_that_never_reached_the_queue_is_sent_now(cloud: Running) -> None:
    key = new_key()
    await cloud.control("POST", "/bus/stop")
    try:
        status, _, retry_after = await post(cloud, b"again", key)
        assert (status, bool(retry_after)) == (503, True)
        _, listed = await cloud.ledger("?state=accepted&limit=1")
        (accepted,) = listed["messages"]
    finally:
        await cloud.control("POST", "/bus/start")
    assert await taken(cloud, b"again", key) == accepted["id"]
    await cloud.entry(accepted["id"], "delivered")
    assert await times_at_partner(cloud, accepted["id"]) == 1


async def test_without_a_ledger_nothing_is_taken_or_half_done(cloud: Running, url: str) -> None:
    key = new_key()
    await cloud.database(AWAY)
    try:
        await cloud.received(await taken_until_refused(cloud))
        before = (await cloud.control("GET", "/status"))["partner"]["received"]
        for app in ("sender", "tracker"):
            status, problem, retry_after = await post(cloud, b"payload", key)
            assert (status, bool(retry_after)) == (503, True)
            assert "planted" not in str(problem)
            await cloud.control("POST", f"/apps/{app}/restart")
        async with (
            cloud.session() as session,
            session.get(f"{cloud.endpoints['tracker']}/api/messages") as answer,
        ):
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert "planted" not in await answer.text()
    finally:
        await cloud.database(url)
    assert (await cloud.control("GET", "/status"))["partner"]["received"] == before
    message_id = await taken(cloud, b"payload", key)
    await cloud.entry(message_id, "delivered")
    assert "planted" not in cloud.logs()


async def test_without_a_connection_left_callers_are_told_to_come_again(
    cloud: Running, url: str, database: str | None
) -> None:
    if database is None:
        pytest.skip("SQLite has no number of connections to use up")
    await databases.run(
        url,
        "CREATE ROLE crowded LOGIN PASSWORD 'planted' CONNECTION LIMIT 0",
        "GRANT SELECT, INSERT, UPDATE ON messages TO crowded",
    )
    crowded = make_url(url).set(username="crowded", password="planted")
    key = new_key()
    await cloud.database(crowded.render_as_string(hide_password=False))
    try:
        await cloud.received(await taken_until_refused(cloud))
        status, problem, retry_after = await post(cloud, b"payload", key)
        assert (status, bool(retry_after)) == (503, True)
        assert "planted" not in str(problem)
        await cloud.control("POST", "/apps/tracker/restart")
        async with (
            cloud.session() as session,
            session.get(f"{cloud.endpoints['tracker']}/api/messages") as answer,
        ):
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        await databases.run(url, "ALTER ROLE crowded CONNECTION LIMIT 50")
        message_id = await taken(cloud, b"payload", key)
        await cloud.entry(message_id, "delivered")
    finally:
        await cloud.database(url)
    assert "no connection left (53300)" in cloud.logs()
    assert "planted" not in cloud.logs()


async def taken_until_refused(cloud: Running) -> set[str]:
    """Send until the secret that was kept is not used any more; return what was taken so far."""
    ids: set[str] = set()
    for _ in range(60):
        status, content, _ = await post(cloud)
        if status == 503:
            return ids
        ids.add(str(content["id"]))
        await asyncio.sleep(0.2)
    raise AssertionError("not refused")


# They refuse to write that a message is on the queue.
_WHEN = "BEFORE UPDATE ON messages"
_IF = "WHEN (NEW.queued_at IS NOT NULL)"
_SAY = "BEGIN RAISE EXCEPTION 'planted'; END"
PLANTED = {
    "sqlite": [f"CREATE TRIGGER planted {_WHEN} {_IF} BEGIN SELECT RAISE(ABORT, 'planted'); END"],
    "postgresql": [
        f"CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ {_SAY} $$",
        f"CREATE TRIGGER planted {_WHEN} FOR EACH ROW {_IF} EXECUTE FUNCTION planted()",
    ],
}
REMOVED = {"sqlite": "DROP TRIGGER planted", "postgresql": "DROP FUNCTION planted CASCADE"}


async def test_what_is_on_the_queue_is_taken_though_the_ledger_does_not_hear_of_it(
    cloud: Running, url: str
) -> None:
    kind = make_url(url).get_backend_name()
    await databases.run(url, *PLANTED[kind])
    try:
        status, content, _ = await post(cloud)
        assert (status, content["state"]) == (202, "queued")
        entry = await cloud.entry(content["id"], "delivered")
    finally:
        await databases.run(url, REMOVED[kind])
    assert entry["times"].keys() == {"accepted", "delivered"}
    logs = cloud.logs()
    assert f"{content['id']} stays accepted in the ledger" in logs
    assert "planted" not in logs


async def test_receipts_wait_on_the_bus_while_the_ledger_is_away(cloud: Running, url: str) -> None:
    await cloud.control("POST", "/apps/tracker/stop")
    ids = [await taken(cloud, b"%d" % n) for n in range(20)]
    await cloud.received(set(ids))
    await cloud.database(AWAY)
    await cloud.control("POST", "/apps/tracker/start")
    for _ in range(400):
        if cloud.logs().count("Exception in 'Functions.record'") > 1:
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("the tracker did not try again")
    await cloud.database(url)
    for message_id in ids:
        await cloud.entry(message_id, "delivered")
    # A row can be read before its receipt is off the queue.
    await cloud.queued("receipts", 0)
    assert (await cloud.control("GET", "/status"))["queues"]["receipts"]["dead_lettered"] == 0


async def rotated(url: str, turn: int) -> str:
    """Return another secret for the same database: of another user, where there are users."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        folder, _, file = str(parsed.database).rpartition("/")
        return parsed.set(database=f"{folder}{'/.' * (turn + 1)}/{file}").render_as_string(
            hide_password=False
        )
    user, password = f"rotated{turn}", f"planted-password-{turn}"
    engine = create_async_engine(
        parsed.difference_update_query(["ssl"]), connect_args={"ssl": False}
    )
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'"))
    await engine.dispose()
    return parsed.set(username=user, password=password).render_as_string(hide_password=False)


async def test_the_secret_is_rotated_under_load(cloud: Running, url: str) -> None:
    """The old connection goes on serving who has it, and the new one serves the rest."""
    done = asyncio.Event()
    ids: list[str] = []

    async def flow() -> None:
        while not done.is_set():
            status, content, _ = await post(cloud, b"x")
            assert status == 202
            ids.append(content["id"])

    flows = [asyncio.create_task(flow()) for _ in range(8)]
    for turn in range(3):
        await cloud.database(await rotated(url, turn))
        await asyncio.sleep(1.2)
    await cloud.database(url)
    done.set()
    await asyncio.gather(*flows)
    for message_id in ids:
        await cloud.entry(message_id, "delivered")
