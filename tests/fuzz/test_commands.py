"""The control endpoint and the live page of a cloud without apps: no request makes them fail."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.control.endpoint import control_app
from local.net.folder import Folder
from local.page.endpoint import page_app
from local.runtime.cloud import Cloud, CloudOptions, start_cloud
from local.runtime.redeployment import over, read
from tests.fuzz.checking import check_damaged, check_request
from tests.fuzz.effort import EFFORT
from tests.fuzz.requests import Request, changed, damaged, request
from tests.fuzz.socketless import Port, SocketlessServer
from tests.fuzz.unforeseen import Unforeseen
from tests.pipeline.cloud_process import ROOT

KEY = "k" * 43
HEADERS = ((b"Authorization", b"Bearer " + KEY.encode()), (b"Content-Type", b"application/json"))
FAULT = {"service": "partner", "answer": "status", "status": 429, "retry_after": 5, "times": 1}
APPS = frozenset({"sender", "receiver", "tracker"})


@pytest.fixture(scope="module")
def cloud(server: SocketlessServer) -> Cloud:
    folder = server.folder / "cloud"
    folder.mkdir()
    snapshot = ROOT / "infra" / "local.snapshot.json"
    return server.runner.run(
        start_cloud(
            server.stack,
            over(folder, read(snapshot), snapshot),
            Folder(folder),
            lambda _: None,
            CloudOptions(free_ports=True, without=APPS),
        )
    )


# Left out is what starts a process or makes a key, which takes too long to be tried often.
def commands(cloud: Cloud) -> list[Request]:
    vault = next(name for name in cloud.vaults if name.startswith("partner-"))
    identity = next(iter(cloud.programs))
    gets = (
        *("/status", "/apps/sender/environment", "/operators/operator/environment", "/faults"),
        *(f"/identities/{identity}/environment", f"/identities/{identity}/connection-string"),
        *("/machines/reader/environment", "/partner/secrets", "/database", "/grants/used"),
    )
    after = (("after", "0"), ("limit", "3"))
    return [
        *(request("GET", path, headers=HEADERS) for path in gets),
        request("GET", "/decisions", query=after, headers=HEADERS),
        request("GET", "/partner-queue", query=after, headers=HEADERS),
        request("POST", "/faults", FAULT, headers=HEADERS),
        request("DELETE", "/faults", query=[("service", "partner")], headers=HEADERS),
        request("DELETE", "/faults/1", headers=HEADERS),
        request("PUT", f"/grants/{identity}/on", headers=HEADERS),
        request("PUT", "/bus/clock", {"ahead": 1}, headers=HEADERS),
        request("PUT", "/tokens/lifetime", {"seconds": 60}, headers=HEADERS),
        request("POST", "/tokens/revoke", headers=HEADERS),
        request("POST", "/bus/drop", headers=HEADERS),
        request("PUT", f"/secrets/{vault}/partner-connection", b"value", headers=HEADERS),
        request("PUT", "/deployment", {"predictedResources": [{"type": "x"}]}, headers=HEADERS),
        request("PUT", "/apps/sender/package", b"/nowhere", headers=HEADERS),
        request("POST", "/apps/nowhere/start", headers=HEADERS),
        request("POST", f"/keys/{vault}/none/rotate", headers=HEADERS),
    ]


def actions(cloud: Cloud) -> list[Request]:
    identity = next(iter(cloud.programs))
    files = ("/", "/page.css", "/icon.svg")
    return [
        *(request("GET", path) for path in files),
        request("POST", "/messages", {"count": 1}, headers=HEADERS),
        request("PUT", "/partner", {"answers": "works"}, headers=HEADERS),
        request("PUT", f"/grants/{identity}", {"granted": True}, headers=HEADERS),
        request("POST", "/keys/none/payload/rotate", {}, headers=HEADERS),
        request("POST", "/rejected/replay", {"number": 1}, headers=HEADERS),
    ]


def control(server: SocketlessServer, cloud: Cloud) -> Port:
    return server.serve(control_app(cloud, KEY), commands(cloud))


def page(server: SocketlessServer, cloud: Cloud) -> Port:
    return server.serve(page_app(cloud, KEY), actions(cloud))


@pytest.fixture(scope="module", params=[control, page])
def port(request: pytest.FixtureRequest, server: SocketlessServer, cloud: Cloud) -> Port:
    found: Port = request.param(server, cloud)
    return found


@EFFORT
@given(st.data())
def test_no_request_makes_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_request(port, unforeseen, data.draw(changed(port.requests)))


@EFFORT
@given(st.data())
def test_no_bytes_make_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_damaged(port, unforeseen, data.draw(damaged(port.requests)))


@pytest.mark.parametrize("content_type", [b"a/b; charset=nonsense", b"a/b; charset=rot13", b"\xff"])
def test_an_unknown_charset_is_no_failure(
    port: Port, unforeseen: Unforeseen, content_type: bytes
) -> None:
    for one in port.requests:
        if one.body:
            headers = (*one.headers[:-1], (b"Content-Type", content_type))
            check_request(port, unforeseen, replace(one, headers=headers))


@pytest.mark.parametrize("body", [b"[" * 1500, b'{"a":' * 700, b"9" * 4000, b"\xff"])
def test_a_body_that_cannot_be_read_is_no_failure(
    port: Port, unforeseen: Unforeseen, body: bytes
) -> None:
    for one in port.requests:
        if one.body:
            check_request(port, unforeseen, replace(one, body=body))
