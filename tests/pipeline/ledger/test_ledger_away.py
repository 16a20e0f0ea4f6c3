"""What happens while the ledger is away, or its database is exchanged."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests import databases
from tests.databases import AWAY
from tests.pipeline.cloud_process import Running
from tests.pipeline.ledger.caller import new_key, post, taken


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


async def test_without_a_free_connection_callers_are_asked_to_retry(
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


@pytest.mark.long
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
