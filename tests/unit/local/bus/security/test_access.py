"""Tokens of identities, and the rights that roles give them."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from azure.servicebus._base_handler import _generate_sas_token

from local.authorization.authorization import Authorization
from local.bus.amqp.errors import UnauthorizedError
from local.bus.security.access import IdentityAccess
from local.bus.security.principal import Principal
from local.deployment.resources import (
    Deployment,
    Identity,
    NamespaceSpec,
    QueueSpec,
    RoleAssignment,
    RoleDefinition,
)
from local.identity.tokens import TokenIssuer

GROUP = "/subscriptions/s/resourceGroups/g"
BUS = f"{GROUP}/providers/Microsoft.ServiceBus/namespaces/relay"
ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
SENDER = Identity("/i/sender", "sender", "11111111-0000-4000-8000-000000000001", "c1")
OWNER = Identity("/i/owner", "owner", "11111111-0000-4000-8000-000000000002", "c2")
NAMESPACE = NamespaceSpec(
    BUS, "relay", "relay", "Standard", local_auth=True, queues=(QueueSpec(f"{BUS}/queues/q", "q"),)
)
DEPLOYMENT = Deployment(
    tenant_id="t",
    identities=(SENDER, OWNER),
    vaults=(),
    namespaces=(NAMESPACE,),
    apps=(),
    role_definitions=(
        RoleDefinition(f"{ROLES}/s", "Sender", ("Microsoft.ServiceBus/*/send/action",), ()),
        RoleDefinition(f"{ROLES}/o", "Owner", ("Microsoft.ServiceBus/*",), ()),
    ),
    role_assignments=(
        RoleAssignment("/a/1", f"{BUS}/queues/q", f"{ROLES}/s", SENDER.principal_id),
        RoleAssignment("/a/2", BUS, f"{ROLES}/o", OWNER.principal_id),
    ),
    ignored=(),
)
SCOPE = "https://servicebus.azure.net"


def identities(issuer: TokenIssuer, authorization: Authorization | None = None) -> IdentityAccess:
    return IdentityAccess(NAMESPACE, issuer, authorization or Authorization(DEPLOYMENT))


def test_roles_at_the_queue_and_above_it() -> None:
    issuer = TokenIssuer("t")
    access = identities(issuer)
    sender = access.authenticate(issuer.issue(SENDER, SCOPE + "/").value, "sb://relay/q")
    owner = access.authenticate(issuer.issue(OWNER, SCOPE).value, "sb://relay/q")
    assert sender.expires_at is not None
    assert sender.expires_at > time.time()
    assert access.is_allowed(sender, "send", "q")
    assert access.is_allowed(sender, "send", "Q")
    assert not access.is_allowed(sender, "listen", "q")
    assert not access.is_allowed(sender, "send", "other")
    assert access.is_allowed(owner, "send", "q")
    assert access.is_allowed(owner, "listen", "other")
    assert not access.is_allowed(Principal("sas", owner.id, None), "send", "q")


def test_a_changed_deployment_changes_rights_at_once() -> None:
    issuer, authorization = TokenIssuer("t"), Authorization(DEPLOYMENT)
    access = identities(issuer, authorization)
    sender = access.authenticate(issuer.issue(SENDER, SCOPE).value, "")
    authorization.replace(replace(DEPLOYMENT, role_assignments=()))
    assert not access.is_allowed(sender, "send", "q")


ISSUER = TokenIssuer("t")


@pytest.mark.parametrize(
    ("issuer", "verifier", "resource"),
    [
        (TokenIssuer("t"), ISSUER, SCOPE),
        (EXPIRED := TokenIssuer("t", timedelta(seconds=-9)), EXPIRED, SCOPE),
        (ISSUER, ISSUER, "https://vault.azure.net"),
    ],
    ids=["another issuer", "expired", "for a vault"],
)
def test_tokens_that_are_refused(issuer: TokenIssuer, verifier: TokenIssuer, resource: str) -> None:
    token = issuer.issue(OWNER, resource).value
    with pytest.raises(UnauthorizedError) as caught:
        identities(verifier).authenticate(token, "sb://relay/q")
    assert token not in str(caught.value)


def test_sas_is_refused_clearly() -> None:
    access = identities(TokenIssuer("t"))
    with pytest.raises(UnauthorizedError, match="LocalAuthDisabled"):
        access.authenticate(sas_token(), "sb://relay/q")
    with pytest.raises(UnauthorizedError, match="LocalAuthDisabled"):
        access.authenticate_plain("all", "a2V5")


def sas_token() -> str:
    return _generate_sas_token("sb://relay/q", "all", "a2V5", timedelta(hours=1)).token
