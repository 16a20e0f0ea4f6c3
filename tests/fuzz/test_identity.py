"""The two token endpoints and the partner's webhook: no request makes them fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.deployment.resources import AppSpec, Identity, MachineSpec
from local.faults.faults import Faults
from local.identity.endpoint import token_endpoint
from local.identity.imds import imds_endpoint
from local.identity.tokens import TokenIssuer
from local.partner.webhook import PartnerWebhook, partner_app
from local.runtime.fault_middleware import partner_faults
from tests.fuzz.checking import check_damaged, check_request
from tests.fuzz.effort import EFFORT
from tests.fuzz.requests import changed, damaged, request
from tests.fuzz.socketless import Port, SocketlessServer
from tests.fuzz.unforeseen import Unforeseen

ISSUER = TokenIssuer("00000000-0000-4000-8000-000000000002")
IDENTITY = Identity("/subscriptions/s/identities/i", "i", "oid-i", "app-i")
RESOURCE = ("resource", "https://vault.azure.net")
KEY = "k" * 43


def app_service(server: SocketlessServer) -> Port:
    callers = {"secret": AppSpec("/sites/s", "s", "sender", (IDENTITY,), None, {})}
    query = (("api-version", "2019-08-01"), RESOURCE, ("client_id", "app-i"))
    headers = [(b"X-IDENTITY-HEADER", b"secret")]
    requests = [request("GET", "/msi/token", query=query, headers=headers)]
    return server.serve(token_endpoint(ISSUER, callers), requests)


def machine(server: SocketlessServer) -> Port:
    spec = MachineSpec("/machines/m", "m", (IDENTITY,), None, {})
    query = (("api-version", "2018-02-01"), RESOURCE, ("object_id", "oid-i"))
    path = "/metadata/identity/oauth2/token"
    requests = [request("GET", path, query=query, headers=[(b"Metadata", b"true")])]
    return server.serve(imds_endpoint(ISSUER, lambda: spec), requests)


def partner(server: SocketlessServer) -> Port:
    app = partner_app(PartnerWebhook(), KEY)
    app.middlewares.append(partner_faults(Faults()))
    signed = [
        (b"webhook-id", b"m"),
        (b"webhook-timestamp", b"1"),
        (b"webhook-signature", b"v1,AAAA"),
        (b"Content-Type", b"a/b"),
    ]
    shown = (("after", "0"), ("id", "a"), ("newest", "2"), ("brief", ""))
    with_key = [(b"Authorization", b"Bearer " + KEY.encode())]
    return server.serve(
        app,
        [
            request("POST", "/messages", b"body", headers=signed),
            request("GET", "/received", query=shown, headers=with_key),
            request("GET", "/received", query=(("ids", ""),), headers=with_key),
        ],
        is_tls=True,
    )


@pytest.fixture(scope="module", params=[app_service, machine, partner])
def port(request: pytest.FixtureRequest, server: SocketlessServer) -> Port:
    found: Port = request.param(server)
    return found


@EFFORT
@given(st.data())
def test_no_request_makes_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_request(port, unforeseen, data.draw(changed(port.requests)))


@EFFORT
@given(st.data())
def test_no_bytes_make_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_damaged(port, unforeseen, data.draw(damaged(port.requests)))
