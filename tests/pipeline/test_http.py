"""What the sender answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.cloud_process import Running

PLANTED = "planted-payload-in-an-error"


async def ask(
    cloud: Running, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    url = f"{cloud.endpoints['sender']}{path}"
    async with (
        cloud.session() as session,
        session.request(method, url, data=body, headers=headers) as answer,
    ):
        content = await answer.json(content_type=None) if await answer.read() else None
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, content


async def test_a_message_is_accepted(cloud: Running) -> None:
    status, headers, body = await ask(
        cloud, "POST", "/api/messages", b"x", **{"Content-Type": "a/b"}
    )
    assert status == 202
    assert headers["content-type"].startswith("application/json")
    assert headers["location"] == body["links"]["status"]
    assert headers["location"].endswith(f"/api/messages/{body['id']}")
    assert body["state"] == "queued"


@pytest.mark.parametrize(
    ("headers", "status", "accepted"),
    [
        ({"Content-Encoding": "gzip"}, 415, "identity"),
        ({"Content-Encoding": "planted"}, 415, "identity"),
        ({"Content-Range": "bytes 0-9/100"}, 400, None),
        ({"Content-Encoding": "identity"}, 202, None),
    ],
)
async def test_a_body_that_needs_another_header_to_be_read_is_refused(
    cloud: Running, headers: dict[str, str], status: int, accepted: str | None
) -> None:
    answered, answer, body = await ask(cloud, "POST", "/api/messages", b"\x1f\x8b", **headers)
    assert (answered, answer.get("accept-encoding")) == (status, accepted)
    assert "planted" not in str(body)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", "text/plain", 400, "empty"),
        (PLANTED.encode(), "planted", 400, "Content-Type"),
        (PLANTED.encode(), "a/" + "b" * 300, 400, "Content-Type"),
        (PLANTED.encode() * 8000, "text/plain", 413, "190000 bytes"),
    ],
)
async def test_a_refused_request_is_answered_by_a_problem_document(
    cloud: Running, body: bytes, content_type: str, status: int, reason: str
) -> None:
    answered, headers, problem = await ask(
        cloud, "POST", "/api/messages", body, **{"Content-Type": content_type}
    )
    assert answered == status
    assert headers["content-type"].startswith("application/problem+json")
    assert problem["status"] == status
    assert problem["title"]
    assert reason in problem["detail"]
    assert "planted" not in str(problem)
    assert problem.get("limit") == (190_000 if status == 413 else None)


@pytest.mark.parametrize(("bound", "statuses"), [("true", {202, 401}), ("false", {202})])
async def test_a_key_is_its_callers_own_only_where_a_setting_says_that_callers_are_authenticated(
    cloud: Running, bound: str, statuses: set[int]
) -> None:
    found: set[int] = set()
    ids: list[str | None] = []
    async with (
        cloud.another_sender(RELAY_BIND_KEYS_TO_CALLERS=bound) as sender,
        cloud.session() as session,
    ):
        for caller in (
            {"X-MS-CLIENT-PRINCIPAL-ID": "one"},
            {"X-MS-CLIENT-PRINCIPAL-ID": "two"},
            {},
        ):
            headers = {"Idempotency-Key": f'"one-key-of-many-callers-{bound}"', **caller}
            async with session.post(f"{sender}/api/messages", data=b"x", headers=headers) as answer:
                found.add(answer.status)
                ids.append((await answer.json(content_type=None)).get("id"))
    assert found == statuses
    assert (ids[0] == ids[1]) is (bound == "false")


async def test_health_lists_the_apps_that_run(cloud: Running) -> None:
    for app in ("sender", "receiver", "tracker"):
        async with (
            cloud.session() as session,
            session.get(f"{cloud.endpoints[app]}/api/health") as answer,
        ):
            assert answer.status == 200
            assert await answer.json() == {"status": "ok", "apps": [app]}


@pytest.mark.parametrize(
    ("app", "path"), [("sender", "/api/nothing"), ("receiver", "/api/messages")]
)
async def test_there_is_nothing_else(cloud: Running, app: str, path: str) -> None:
    async with (
        cloud.session() as session,
        session.post(f"{cloud.endpoints[app]}{path}", data=b"x") as answer,
    ):
        assert answer.status == 404
