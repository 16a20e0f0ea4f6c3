"""What the ledger says of messages, on each of its databases."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from tests.pipeline.cloud_process import Running
from tests.pipeline.ledger.caller import TEXT, new_key, post, taken, times_at_partner
from tests.pipeline.ops_cli import ops


async def test_the_ledger_records_each_state_of_a_message(cloud: Running) -> None:
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
        "next_attempt_at": None,
        "content_type": TEXT,
        "size": 5,
        "key_version": (await cloud.versions("payload"))[-1],
    }


async def test_a_retry_and_a_rejection_are_recorded_with_their_reasons(cloud: Running) -> None:
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
    assert (await ops(cloud, "drop", message_id, "--yes")).code == 0
    dropped = await cloud.entry(message_id, "dropped")
    assert (dropped["detail"], dropped["attempts"]) == (rejected["detail"], 3)
    assert dropped["times"].keys() == {*rejected["times"], "dropped"}


async def test_an_unknown_message_is_not_found(cloud: Running) -> None:
    for path in (f"/{uuid.uuid4()}", "/no%20id", "/" + "a" * 200, "/..%2F.."):
        status, problem = await cloud.ledger(path)
        assert status == 404, path
        assert problem["title"] == "Not Found"
    # No path at all: the host refuses it, and an empty body is all that it says.
    assert await cloud.ledger("/%00") == (400, None)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (
            "state=planted",
            "state must be one of accepted, queued, retrying, rejected, dropped, delivered",
        ),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=%C2%B2", "limit"),
        ("after=planted", "after"),
        ("after=2026-01-01T00:00:00~a", "after"),
        ("after=2026-01-01T00:00:00%2B00:00~../x", "after"),
        ("after=0001-01-01T00:00:00%2B23:00~a", "after"),
        ("status=queued", "unknown; there are state, after and limit"),
        ("code=x&planted=1", "unknown; there are state, after and limit"),
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused_with_the_reason(
    cloud: Running, query: str, reason: str
) -> None:
    status, problem = await cloud.ledger(f"?{query}")
    assert status == 400
    assert reason in problem["detail"]
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
    assert len(listed) == len(set(listed)), "one is on two pages"
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
