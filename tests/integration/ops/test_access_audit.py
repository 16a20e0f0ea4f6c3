"""Asking apps over HTTP: what is sent, and what becomes of each way not to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from ops import access_audit
from ops.access_audit import AskedApp, proof_of
from ops.access_comparison import Proof
from shared.access.declaration import Declaration

DECLARED = Declaration.load()
ANSWER = {
    "app": "sender",
    "declaration": DECLARED.digest,
    "findings": [],
    "objects": {"keys": [], "secrets": [], "queues": []},
}
APPS = DECLARED.objects["app"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]


async def asked(serve: Serve, handler: Handler, key: str | None = "master") -> Proof:
    def make(_: str) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        return app

    url = await serve(make)
    return await proof_of(DECLARED, [AskedApp("sender", url, key)], [])


async def test_the_master_key_is_sent_in_its_header(serve: Serve) -> None:
    seen: list[tuple[str, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("x-functions-key")))
        return web.json_response(ANSWER)

    proof = await asked(serve, handler)
    assert seen == [("/api/access", "master")]
    assert [report.app for report in proof.reports] == ["sender"]
    assert set(proof.silent) == set(APPS) - {"sender"}
    assert "--app" in proof.silent["tracker"]


async def test_no_redirect_takes_the_key_elsewhere(serve: Serve) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    proof = await asked(serve, handler)
    assert seen == ["/api/access"]
    assert proof.silent["sender"] == "status 302"


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "switched off"), (401, "not its master key"), (500, "status 500")],
)
async def test_a_refusal_is_explained(serve: Serve, status: int, said: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status)

    assert said in (await asked(serve, handler)).silent["sender"]


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"{}", b'"text"', b"\xff", b"x" * 5_000_000])
async def test_an_answer_that_is_none_is_told(serve: Serve, body: bytes) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body)

    assert "as the function access does" in (await asked(serve, handler)).silent["sender"]


async def test_an_app_that_is_busy_is_asked_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_audit, "_BUSY_SECONDS", 0)
    times: list[int] = []

    async def handler(_: web.Request) -> web.Response:
        times.append(1)
        return web.json_response(ANSWER, status=200 if len(times) > 2 else 409)

    assert [report.app for report in (await asked(serve, handler)).reports] == ["sender"]


async def test_an_app_that_stays_busy_did_not_answer(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_audit, "_BUSY_SECONDS", 0)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=409)

    assert "somebody else" in (await asked(serve, handler)).silent["sender"]


async def test_a_server_that_hangs_up_did_not_answer(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    assert (await asked(serve, handler)).silent["sender"].startswith("no answer")


async def test_nobody_there_is_no_answer() -> None:
    proof = await proof_of(DECLARED, [AskedApp("sender", "http://127.0.0.1:1")], [])
    assert proof.silent["sender"].startswith("no answer")
    assert {line.verdict for line in proof.differences()} == {"could not tell"}


def test_a_key_does_not_show() -> None:
    assert "planted" not in repr(AskedApp("sender", "https://x", "planted"))


async def test_no_app_is_believed_if_they_speak_of_different_things(serve: Serve) -> None:
    """One that is taken over could have others, and an operator, try what is not ours."""
    agreed = dict.fromkeys(APPS, "https://payload.example/keys/payload")
    keys = agreed | {"tracker": "https://elsewhere.example/keys/payload"}

    async def proof_with(keys: dict[str, str]) -> Proof:
        def make(_: str) -> web.Application:
            async def handler(request: web.Request) -> web.Response:
                app = request.match_info["app"]
                objects = ANSWER["objects"] | {"keys": [keys[app]]}  # type: ignore[operator] # a dict
                return web.json_response(ANSWER | {"app": app, "objects": objects})

            served = web.Application()
            served.router.add_get("/{app}/api/access", handler)
            return served

        url = (await serve(make)).rstrip("/")
        return await proof_of(DECLARED, [AskedApp(app, f"{url}/{app}", None) for app in keys], [])

    proof = await proof_with(keys)
    assert proof.reports == []
    assert proof.silent.keys() == keys.keys()
    assert all("do not agree" in why for why in proof.silent.values()), proof.silent
    assert len((await proof_with(agreed)).reports) == len(APPS)
