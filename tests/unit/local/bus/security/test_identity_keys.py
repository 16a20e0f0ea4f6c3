"""Keys of identities on the bus: each gives the rights of its identity and no others."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote_plus

import pytest

from local.bus.amqp.errors import UnauthorizedError
from local.bus.security.identity_keys import IdentityKey, IdentityKeyAccess
from local.bus.security.principal import Principal, Right

NOW = 1_800_000_000.0
AUDIENCE = "sb://localhost/messages"


class _Roles:
    """Allow the principal `sends` to send and nothing else."""

    def authenticate(self, token: str, audience: str) -> Principal:
        raise AssertionError

    def authenticate_plain(self, name: str, key: str) -> Principal:
        raise AssertionError

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        return (principal.kind, principal.id, right) == ("identity", "sends", "send")


@pytest.fixture
def access() -> IdentityKeyAccess:
    keys = {"sender": IdentityKey("sends", "key 1"), "receiver": IdentityKey("receives", "key 2")}
    return IdentityKeyAccess(keys, _Roles(), lambda: NOW)


def _token(name: str, key: str, expiry: int = int(NOW) + 60) -> str:
    resource = quote_plus(AUDIENCE)
    digest = hmac.new(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = quote_plus(base64.b64encode(digest))
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={name}"


def test_a_signature_gives_the_rights_of_its_identity(access: IdentityKeyAccess) -> None:
    sender = access.authenticate(_token("sender", "key 1"), AUDIENCE)
    receiver = access.authenticate(_token("receiver", "key 2"), AUDIENCE)
    assert (sender.kind, sender.id, sender.expires_at) == ("identity", "sends", NOW + 60)
    assert access.is_allowed(sender, "send", "messages")
    assert not access.is_allowed(sender, "listen", "messages")
    assert not access.is_allowed(receiver, "send", "messages")


def test_a_key_signs_in_by_itself_too(access: IdentityKeyAccess) -> None:
    assert access.authenticate_plain("sender", "key 1").id == "sends"


@pytest.mark.parametrize(
    "token",
    [
        _token("sender", "key 2"),
        _token("nobody", "key 1"),
        _token("sender", "key 1", int(NOW)),
        "eyJhbGciOiJub25lIn0.e30.",
    ],
)
def test_another_key_an_unknown_name_a_late_one_and_a_token_are_refused(
    access: IdentityKeyAccess, token: str
) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        access.authenticate(token, AUDIENCE)
    assert "key 1" not in str(refused.value)


@pytest.mark.parametrize(("name", "key"), [("sender", "key 2"), ("nobody", ""), ("", "")])
def test_a_wrong_key_is_refused(access: IdentityKeyAccess, name: str, key: str) -> None:
    with pytest.raises(UnauthorizedError):
        access.authenticate_plain(name, key)
