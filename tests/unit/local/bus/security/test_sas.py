"""Shared access signatures, against the SDK's own signer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.servicebus._base_handler import _generate_sas_token

from local.bus.amqp.errors import UnauthorizedError
from local.bus.security.principal import Principal
from local.bus.security.sas import SasAccess, SasRule

KEY = "a2V5"
NOW = 1_000_000.0


def access(*, now: float = 0.0) -> SasAccess:
    rules = {
        "all": SasRule(KEY, frozenset({"send", "listen"})),
        "one": SasRule(KEY, frozenset({"send"}), "Plain"),
    }
    return SasAccess(rules, lambda: now)


def token(resource: str = "sb://host/plain", rule: str = "all", key: str = KEY) -> str:
    return _generate_sas_token(resource, rule, key, timedelta(hours=1)).token


@pytest.mark.parametrize(
    "audience",
    [
        "sb://host/plain",
        "amqps://other:5671/PLAIN/",
        "sb://host/plain/$management",
        "plain/$DeadLetterQueue",
    ],
)
def test_a_token_is_good_for_its_resource_and_below(audience: str) -> None:
    principal = access().authenticate(token(), audience)
    assert (principal.kind, principal.id) == ("sas", "all")
    assert principal.expires_at is not None


def test_a_token_for_the_namespace_is_good_for_every_queue() -> None:
    assert access().authenticate(token("sb://host/"), "sb://host/any").id == "all"


@pytest.mark.parametrize(
    ("bad", "audience"),
    [
        (token(), "sb://host/plainer"),
        (token(), "sb://host/"),
        (token(key="other"), "sb://host/plain"),
        (token(rule="nobody"), "sb://host/plain"),
        (token() + "x", "sb://host/plain"),
        (token().replace("sr=", "sr=x"), "sb://host/plain"),
        (token().replace("se=", "se=9"), "sb://host/plain"),
        ("SharedAccessSignature ", "sb://host/plain"),
        ("SharedAccessSignature sr=&sig=ä&se=&skn=all", "sb://host/plain"),
        ("ey.ey.ey", "sb://host/plain"),
    ],
    ids=[
        "a queue of a longer name",
        "all queues",
        "wrong key",
        "unknown rule",
        "altered signature",
        "altered resource",
        "altered expiry",
        "nothing in it",
        "not ASCII",
        "another kind",
    ],
)
def test_any_other_token_is_refused(bad: str, audience: str) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        access().authenticate(bad, audience)
    assert KEY not in str(caught.value)


def test_an_expired_token_is_refused() -> None:
    with pytest.raises(UnauthorizedError, match="expired"):
        access(now=2.0**40).authenticate(token(), "sb://host/plain")


def test_names_with_keys() -> None:
    assert access().authenticate_plain("all", KEY) == Principal("sas", "all", None)
    for name, key in (("all", "x"), ("nobody", ""), ("all", "")):
        with pytest.raises(UnauthorizedError):
            access().authenticate_plain(name, key)


def test_rights_are_the_rules() -> None:
    one = Principal("sas", "one", None)
    assert access().is_allowed(one, "send", "plain")
    assert not access().is_allowed(one, "listen", "plain")
    assert not access().is_allowed(one, "send", "other")
    assert not access().is_allowed(Principal("sas", "gone", None), "send", "plain")
    assert not access().is_allowed(Principal("identity", "all", None), "send", "plain")


def test_a_rule_does_not_show_its_key() -> None:
    assert KEY not in repr(SasRule(KEY, frozenset()))
