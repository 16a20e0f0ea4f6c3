"""The live page over HTTP: its files, its events, and what its buttons request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.faults.fault_document import FaultError
from local.net.bearer import has_key
from local.net.request_body import read_json
from local.page.actions import MAX_MESSAGES, ActionRefusedError, Actions
from local.page.app_calls import AppCallError, AppCalls
from local.page.feed import Feed
from local.page.operator_commands import CommandFailedError, OperatorCommands
from local.runtime.apps import AppFailedError
from local.runtime.cloud import Cloud
from local.strict_json import DocumentPath, StrictObject

MAX_PAGES = 20  # open at once
_LARGEST_BODY = 4096  # bytes
_ACTION_ERRORS = (ActionRefusedError, AppCallError, AppFailedError, CommandFailedError, FaultError)
_FOLDER = Path(__file__).parent / "static"
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/picture.js": ("picture.js", "text/javascript"),
    "/lists.js": ("lists.js", "text/javascript"),
    "/connection.js": ("connection.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    # Only files of this server run or load, no inline script and no eval: text that came with a
    # message could not become code even where the page forgot to treat it as text. Nor may another
    # page show this one in a frame and have its buttons clicked.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class BadRequestError(Exception):
    """The body of a request is not what its path takes; the text names what is wrong."""


def page_app(cloud: Cloud, key: str) -> web.Application:
    """Serve the page to everybody on this machine, and all that it shows and does to the key.

    - `GET /` and the files that it loads: they hold nothing of the cloud
    - `GET /events`: server-sent events, as `local.page.feed.Feed` writes them
    - `POST /messages` with `{"count": 1}`
    - `PUT /partner` with `{"answers": "works"}`, `"unavailable"` or `"refuses"`
    - `POST /keys/{vault}/{name}/rotate`
    - `PUT /grants/{identity}` with `{"granted": true}`
    - `POST /rejected/replay` with `{"number": "#7"}`
    - `POST /retries/forward`, `POST /proof`

    Actions answer `{"done": text}`, the proof `{"proof": ...}`; errors are `{"error": text}`.
    """
    calls = AppCalls(cloud)
    actions = Actions(cloud, calls, OperatorCommands(cloud.context.folder.path))
    page = _Page(cloud, calls, actions)
    # The key is in the fragment of the page's address, which browsers send to no server and which
    # so is in no log, and then in a header of each request. It is in no cookie: a browser adds a
    # header like that for no other site's page, so that none can press the buttons (CSRF).
    # A name that is made to lead here (DNS rebinding) is refused where the page is served,
    # `local.net.serving`.
    app = web.Application(
        middlewares=[_with_headers, _only_with(key), _answer_errors],
        client_max_size=_LARGEST_BODY,
    )
    for path in _FILES:
        app.router.add_get(path, _file)
    app.router.add_get("/events", page.events, allow_head=False)
    app.router.add_post("/messages", page.send)
    app.router.add_put("/partner", page.partner)
    app.router.add_post("/keys/{vault}/{name}/rotate", page.rotate)
    app.router.add_put("/grants/{identity}", page.grant)
    app.router.add_post("/rejected/replay", page.replay)
    app.router.add_post("/retries/forward", page.bring_forward)
    app.router.add_post("/proof", page.prove)
    app.on_shutdown.append(page.close)
    return app


class _Page:
    def __init__(self, cloud: Cloud, calls: AppCalls, actions: Actions) -> None:
        self._cloud = cloud
        self._calls = calls
        self._actions = actions
        self._closing = asyncio.Event()
        self._open = 0

    async def close(self, _: web.Application) -> None:
        """End the open feeds: they would hold up the end of the server."""
        self._closing.set()
        await self._calls.close()

    async def events(self, request: web.Request) -> web.StreamResponse:
        if self._open >= MAX_PAGES:
            return web.json_response({"error": "too many pages are open: close some"}, status=503)
        self._open += 1
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **_HEADERS})
            await response.prepare(request)
            await Feed(self._cloud, self._calls, self._closing).send_to(response)
            return response
        finally:
            self._open -= 1

    async def send(self, request: web.Request) -> web.Response:
        body = await _body(request)
        count = body.number("count", low=1, high=MAX_MESSAGES)
        return await _done(body, lambda: self._actions.send(count))

    async def partner(self, request: web.Request) -> web.Response:
        body = await _body(request)
        answers = body.choice("answers", ("works", "unavailable", "refuses"))
        body.reject_unread()
        return _answer(self._actions.partner(answers))

    async def rotate(self, request: web.Request) -> web.Response:
        names = request.match_info
        return _answer(self._actions.rotate(names["vault"], names["name"]))

    async def grant(self, request: web.Request) -> web.Response:
        body, identity = await _body(request), request.match_info["identity"]
        granted = body.flag("granted")
        body.reject_unread()
        if granted:
            return _answer(self._actions.give_back(identity))
        return _answer(await self._actions.take_away(identity))

    async def replay(self, request: web.Request) -> web.Response:
        body = await _body(request)
        number = body.text("number")
        return await _done(body, lambda: self._actions.replay(number))

    async def bring_forward(self, _: web.Request) -> web.Response:
        return _answer(await self._actions.bring_forward())

    async def prove(self, _: web.Request) -> web.Response:
        return web.json_response({"proof": await self._actions.prove()})


async def _file(request: web.Request) -> web.Response:
    name, content_type = _FILES[request.path]
    # Read anew each time: who changes the page reloads it.
    content = await asyncio.to_thread((_FOLDER / name).read_bytes)
    return web.Response(body=content, content_type=content_type, charset="utf-8")


async def _body(request: web.Request) -> StrictObject:
    try:
        document = await read_json(request)
    except ValueError as error:
        raise BadRequestError(str(error)) from None
    return StrictObject(document, DocumentPath(BadRequestError))


async def _done(body: StrictObject, action: Callable[[], Awaitable[str]]) -> web.Response:
    body.reject_unread()
    return _answer(await action())


def _answer(sentence: str) -> web.Response:
    return web.json_response({"done": sentence})


@web.middleware
async def _with_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response


def _only_with(key: str) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_file = request.method in ("GET", "HEAD") and request.path in _FILES
        if not is_file and not has_key(request, key):
            return web.json_response(
                {"error": "the key of the page is missing or wrong"}, status=401
            )
        return await handler(request)

    return check


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequestError as error:
        return web.json_response({"error": str(error)}, status=400)
    except _ACTION_ERRORS as error:
        return web.json_response({"error": str(error)}, status=409)
