"""What the page asks the apps, over real sockets, and what it makes of their answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from local.host.keys import HEADER, AppKeys
from local.net.folder import app_keys_file
from local.page.app_calls import AppCallError, AppCalls
from local.runtime.cloud import Cloud

Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]
PROBLEM = {"title": "Service Unavailable", "detail": "the vault refused to encrypt"}


class Apps:
    """Answers as a test says, and keeps the keys that it was called with."""

    def __init__(self) -> None:
        self.answer: Callable[[web.Request], web.Response] = lambda _: web.json_response({})
        self.keys: list[str | None] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get(HEADER))
        return self.answer(request)

    def application(self, _: str) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app


@pytest.fixture
def apps() -> Apps:
    return Apps()


@pytest.fixture
async def calls(apps: Apps, serve: Serve, tmp_path: Path) -> AsyncIterator[AppCalls]:
    url = (await serve(apps.application)).rstrip("/")
    process = SimpleNamespace(url=url, state="up")
    cloud: Any = SimpleNamespace(
        apps={"sender": process, "tracker": process},
        context=SimpleNamespace(folder=SimpleNamespace(path=tmp_path)),
    )
    made = AppCalls(cast("Cloud", cloud))
    yield made
    await made.close()


async def test_the_sender_is_called_with_its_own_key(
    apps: Apps, calls: AppCalls, tmp_path: Path
) -> None:
    keys = AppKeys.fresh()
    (tmp_path / app_keys_file("sender")).write_text(keys.text())
    apps.answer = lambda _: web.json_response({"id": "m-1"}, status=202)
    assert await calls.send(b"x", "text/plain") == "m-1"
    assert apps.keys == [keys.host]


async def test_a_refusal_is_given_in_the_words_of_the_app(apps: Apps, calls: AppCalls) -> None:
    apps.answer = lambda _: web.json_response(PROBLEM, status=503)
    with pytest.raises(AppCallError, match="The sender answered 503: the vault refused to encrypt"):
        await calls.send(b"x", "text/plain")
    assert await calls.ledger() == {
        "problem": "The tracker answered 503: the vault refused to encrypt"
    }


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(text="no JSON", status=202),
        lambda _: web.json_response([], status=202),
        lambda _: web.Response(status=302, headers={"Location": "https://attacker.example/"}),
    ],
    ids=["text", "array", "redirect"],
)
async def test_an_answer_of_another_form_is_a_failure(
    apps: Apps, calls: AppCalls, answer: Callable[[web.Request], web.Response]
) -> None:
    apps.answer = answer
    with pytest.raises(AppCallError):
        await calls.send(b"x", "text/plain")
    assert "problem" in await calls.ledger()
    assert len(apps.keys) == 2  # no redirect was followed


async def test_an_app_that_is_not_running_is_named(calls: AppCalls) -> None:
    calls._cloud.apps["sender"].state = "stopped"  # type: ignore[misc]
    with pytest.raises(AppCallError, match="The sender is not running"):
        await calls.send(b"x", "text/plain")


def states(**counts: int) -> dict[str, Any]:
    known = {
        name: {"messages": count, "oldest_at": None, "oldest_age_seconds": None}
        for name, count in counts.items()
    }
    return {"states": known, "count_limit": 10_000}


def ledger(listed: object, counted: object) -> Callable[[web.Request], web.Response]:
    return lambda request: web.json_response(
        {"/api/messages": listed, "/api/states": counted}[request.path]
    )


async def test_the_states_are_those_of_all_messages(apps: Apps, calls: AppCalls) -> None:
    one = {"id": "m", "state": "delivered", "attempts": 1, "detail": None, "size": 2, "times": {}}
    listed = {"messages": [{**one, "key_version": "secret?"}] * 8, "next": "/api/messages?after=x"}
    counted = states(accepted=0, retrying=3, delivered=10_000)
    apps.answer = ledger(listed, counted)
    assert await calls.ledger() == {
        "states": {"retrying": 3, "delivered": 10_000},
        "count_limit": 10_000,
        "messages": [one] * 8,
    }


@pytest.mark.parametrize(
    ("listed", "counted"),
    [
        ({"messages": []}, {"states": {}}),
        ({"messages": []}, {"states": [1], "count_limit": 1}),
        ({"messages": []}, {"states": {"delivered": {}}, "count_limit": 1}),
        ({"messages": []}, {"states": {"delivered": {"messages": None}}, "count_limit": 1}),
        ({"messages": [1]}, states()),
        ({"messages": None}, states()),
        ({}, states()),
    ],
)
async def test_an_answer_of_the_tracker_of_another_form_is_a_problem(
    apps: Apps, calls: AppCalls, listed: object, counted: object
) -> None:
    apps.answer = ledger(listed, counted)
    assert await calls.ledger() == {"problem": "The tracker sent an answer of an unknown form."}
