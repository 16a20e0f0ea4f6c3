"""The HTTP functions of the apps, behind the host: no request makes them or the host fail."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.http import DEFAULT_MAX_BODY
from local.host.keys import AppKeys
from tests.fuzz.checking import check_damaged, check_request
from tests.fuzz.effort import EFFORT
from tests.fuzz.relay_apps import relay_app
from tests.fuzz.requests import Request, changed, damaged, request
from tests.fuzz.socketless import Port, SocketlessServer
from tests.fuzz.unforeseen import Unforeseen

ID = "8e03978e-40d5-43dd-bc93-6894a57f9324"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def requests(keys: AppKeys) -> list[Request]:
    key = (b"x-functions-key", keys.host.encode())
    content = (b"Content-Type", b"application/json; charset=utf-8")
    sent = [
        key,
        content,
        (b"Idempotency-Key", b'"%s"' % ID.encode()),
        (b"traceparent", TRACE),
        (b"tracestate", b"a=b"),
    ]
    paged = (("limit", "3"), ("state", "queued"))
    master = [(b"x-functions-key", keys.master.encode())]
    return [
        request("POST", "/api/messages", b"payload", headers=sent),
        request("POST", "/api/messages", b"payload", headers=[key, content]),
        request("POST", "/api/messages", b"x" * 300, headers=[key, content]),
        request("GET", f"/api/messages/{ID}", headers=[key]),
        request("GET", "/api/messages", query=paged, headers=[key]),
        request("GET", "/api/messages", query=(("after", "AAAA"),), headers=[key]),
        request("GET", "/api/states", query=(("code", keys.host),)),
        *(request("GET", path, headers=master) for path in ("/", "/admin/host/status")),
        request("GET", "/admin/functions/send", headers=master),
    ]


@pytest.fixture(scope="module")
def port(server: SocketlessServer) -> Port:
    keys = AppKeys.fresh()
    app = server.runner.run(relay_app(server, keys))
    return server.serve(app, requests(keys))


def deliberate(sent: bytes) -> list[int]:
    """Return the statuses that say that something failed, and are Azure's of this request."""
    # The real host answers 500 where a body is stated to be above its limit.
    lengths = [int(length) for length in _LENGTH.findall(sent)]
    return [500] if any(length > DEFAULT_MAX_BODY for length in lengths) else []


@EFFORT
@given(st.data())
def test_no_request_makes_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    one = data.draw(changed(port.requests))
    check_request(port, unforeseen, one, deliberate(one.encoded()))


@EFFORT
@given(st.data())
def test_no_bytes_make_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    parts = data.draw(damaged(port.requests))
    check_damaged(port, unforeseen, parts, deliberate(b"".join(parts)))
