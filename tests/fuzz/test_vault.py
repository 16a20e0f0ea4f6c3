"""A vault, asked by somebody who may do everything: no request makes it fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.authorization.authorization import Authorization
from local.deployment.resources import (
    Deployment,
    Identity,
    KeySpec,
    RoleAssignment,
    RoleDefinition,
    SecretSpec,
    VaultSpec,
)
from local.identity.tokens import TokenIssuer
from local.key_vault.store import VaultStore
from local.key_vault.vault import vault_app
from tests.fuzz.checking import check_damaged, check_request
from tests.fuzz.client import statuses
from tests.fuzz.effort import EFFORT
from tests.fuzz.odd_values import Header
from tests.fuzz.requests import Request, changed, damaged, request
from tests.fuzz.socketless import Port, SocketlessServer
from tests.fuzz.unforeseen import Unforeseen

TENANT = "00000000-0000-4000-8000-000000000002"
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
OWNER = Identity("/identities/owner", "owner", "oid-owner", "app-owner")
VERSION = (("api-version", "2025-07-01"),)
LIST = (*VERSION, ("maxresults", "2"))
SPEC = VaultSpec(
    VAULT,
    "v",
    "westeurope",
    TENANT,
    uses_rbac=True,
    policies=(),
    keys=(
        KeySpec(f"{VAULT}/keys/payload", "payload", "RSA", 2048, ("encrypt", "decrypt", "sign")),
    ),
    secrets=(SecretSpec(f"{VAULT}/secrets/partner", "partner", "a/b"),),
)
ROLE = RoleDefinition("/roles/owner", "owner", ("Microsoft.KeyVault/vaults/*",), ())
DEPLOYMENT = Deployment(
    *(TENANT, (), (SPEC,), (), ()),
    *((ROLE,), (RoleAssignment("/a", VAULT, "/roles/owner", "oid-owner"),), ()),
)
ATTRIBUTES = {"enabled": True, "nbf": 1, "exp": 2**33}
POLICY = {
    "lifetimeActions": [{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}],
    "attributes": {"expiryTime": "P90D"},
}
EC = {"kty": "EC", "crv": "P-256", "key_ops": ["sign", "verify"], "attributes": ATTRIBUTES}
CURVE = {
    "kty": "EC",
    "crv": "P-256",
    # RFC 7517, appendix A.2.
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
}
DIGEST = "A" * 43
# (method, path, body); tests of them have their own names, so that an object deleted is only one.
OPERATIONS = (
    *(
        ("GET", path, None)
        for path in ("/keys/payload", "/keys/payload/versions", "/secrets/partner/x")
    ),
    *(("GET", path, None) for path in ("/deletedkeys", "/deletedsecrets/b", "/certificates/c")),
    ("GET", "/keys/payload/rotationpolicy", None),
    ("PUT", "/keys/payload/rotationpolicy", POLICY),
    ("POST", "/keys/curve/create", EC),
    ("PUT", "/keys/curve", {"key": CURVE, "attributes": ATTRIBUTES, "tags": {"a": "b"}}),
    ("PATCH", "/keys/payload", {"attributes": {"enabled": True}, "tags": {"a": "b"}}),
    ("POST", "/keys/payload//encrypt", {"alg": "RSA-OAEP-256", "value": "AAAA"}),
    ("POST", "/keys/payload//decrypt", {"alg": "RSA-OAEP", "value": "A" * 342}),
    ("POST", "/keys/payload//sign", {"alg": "PS256", "value": DIGEST}),
    ("POST", "/keys/curve//verify", {"alg": "ES256", "digest": DIGEST, "value": "A" * 86}),
    ("POST", "/keys/payload/backup", {}),
    ("POST", "/keys/restore", {"value": "A" * 200}),
    ("DELETE", "/keys/curve", None),
    ("POST", "/deletedkeys/curve/recover", {}),
    ("DELETE", "/deletedkeys/curve", None),
    ("PUT", "/secrets/a", {"value": "v", "contentType": "a/b", "tags": {"a": "b"}}),
    ("PATCH", "/secrets/partner", {"attributes": ATTRIBUTES, "tags": {}}),
    ("POST", "/secrets/a/backup", {}),
    ("POST", "/secrets/restore", {"value": "A" * 200}),
    ("DELETE", "/secrets/a", None),
    ("POST", "/deletedsecrets/a/recover", {}),
    ("POST", "/rng", {"count": 8}),
)


def requests(token: str) -> list[Request]:
    headers: list[Header] = [
        (b"Authorization", b"Bearer " + token.encode()),
        (b"Content-Type", b"application/json"),
    ]
    lists = [
        request("GET", path, query=LIST, headers=headers)
        for path in ("/keys", "/secrets", "/secrets/partner/versions")
    ]
    return lists + [
        request(method, path, body, query=VERSION, headers=headers)
        for method, path, body in OPERATIONS
    ]


def serve(server: SocketlessServer) -> Port:
    store, issuer = VaultStore(server.folder / "v", SPEC), TokenIssuer(TENANT)
    store.set_secret("partner", "value", "a/b")
    app = vault_app(SPEC, store, issuer, Authorization(DEPLOYMENT), "https://127.0.0.1:1/")
    token = issuer.issue(OWNER, "https://vault.azure.net", "owner").value
    return server.serve(app, requests(token), is_tls=True)


@pytest.fixture(scope="module")
def port(server: SocketlessServer) -> Port:
    return serve(server)


@EFFORT
@given(st.data())
def test_no_request_makes_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_request(port, unforeseen, data.draw(changed(port.requests)))


@EFFORT
@given(st.data())
def test_no_bytes_make_it_fail(port: Port, unforeseen: Unforeseen, data: st.DataObject) -> None:
    check_damaged(port, unforeseen, data.draw(damaged(port.requests)))


@pytest.mark.parametrize("chunks", [b"2\r\nabcd\r\n", b"x\r\n", b"-1\r\n"])
def test_malformed_chunks_are_the_clients_error(
    port: Port, unforeseen: Unforeseen, chunks: bytes
) -> None:
    head, _, _ = (
        next(one for one in port.requests if one.body).encoded().partition(b"Content-Length")
    )
    sent = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    assert statuses(port.answer([sent], is_whole=True)) == [400]
    assert not unforeseen.take()
