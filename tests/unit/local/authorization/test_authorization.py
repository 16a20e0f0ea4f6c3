from __future__ import annotations

import dataclasses

import pytest

from local.authorization.authorization import Authorization, permits
from local.deployment.resources import (
    AccessPolicy,
    Deployment,
    RoleAssignment,
    RoleDefinition,
    VaultSpec,
)
from local.deployment.roles import BUILT_IN

SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/group"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/vault"
KEY = f"{VAULT}/keys/payload"
NAMESPACE = f"{GROUP}/providers/Microsoft.ServiceBus/namespaces/bus"
QUEUE = f"{NAMESPACE}/queues/messages"

ANN = "aaaaaaaa-0000-4000-8000-000000000000"
BOB = "bbbbbbbb-0000-4000-8000-000000000000"
TENANT = "00000000-0000-4000-8000-000000000002"
ROLE = f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions/role"

KEYS = "Microsoft.KeyVault/vaults/keys"
SECRETS = "Microsoft.KeyVault/vaults/secrets"
ENCRYPT = f"{KEYS}/encrypt/action"
DECRYPT = f"{KEYS}/decrypt/action"
SEND = "Microsoft.ServiceBus/namespaces/messages/send/action"
RECEIVE = "Microsoft.ServiceBus/namespaces/messages/receive/action"


def role(*data_actions: str, without: tuple[str, ...] = ()) -> RoleDefinition:
    return RoleDefinition(ROLE, "role", data_actions, without)


def assigned(scope: str, to: str = ANN, role_id: str = ROLE, number: int = 1) -> RoleAssignment:
    name = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{number}"
    return RoleAssignment(name, scope, role_id, to)


def vault(*policies: AccessPolicy, uses_rbac: bool = True) -> VaultSpec:
    return VaultSpec(VAULT, "vault", "here", TENANT, uses_rbac, policies, (), ())


def policy(
    keys: tuple[str, ...] = (), secrets: tuple[str, ...] = (), to: str = ANN
) -> AccessPolicy:
    return AccessPolicy(to, frozenset(keys), frozenset(secrets))


def deployed(
    definitions: tuple[RoleDefinition, ...] = (),
    assignments: tuple[RoleAssignment, ...] = (),
    spec: VaultSpec | None = None,
) -> Deployment:
    vaults = (spec or vault(),)
    return Deployment(TENANT, (), vaults, (), (), definitions, assignments, ())


@pytest.mark.parametrize(
    ("granted", "without", "action", "expected"),
    [
        ((ENCRYPT,), (), ENCRYPT, True),
        ((ENCRYPT,), (), ENCRYPT.upper(), True),
        ((ENCRYPT,), (), DECRYPT, False),
        ((), (), ENCRYPT, False),
        (("*",), (), ENCRYPT, True),
        (("Microsoft.KeyVault/vaults/*",), (), ENCRYPT, True),
        (("Microsoft.KeyVault/*/action",), (), ENCRYPT, True),
        (("Microsoft.KeyVault/*/action",), (), f"{KEYS}/read", False),
        (("Microsoft.KeyVault/vaults/*/read",), (), f"{KEYS}/read", True),
        (("Microsoft.ServiceBus/*/send/action",), (), SEND, True),
        (("Microsoft.ServiceBus/*/send/action",), (), RECEIVE, False),
        (("Microsoft.ServiceBus/*/send/action",), (), "Microsoft.ServiceBus/send/action", False),
        ((f"{KEYS}/*",), (DECRYPT,), ENCRYPT, True),
        ((f"{KEYS}/*",), (DECRYPT,), DECRYPT, False),
        ((f"{KEYS}/*",), (f"{KEYS}/DECRYPT/*",), DECRYPT, False),
        (("*",), ("*",), ENCRYPT, False),
        # A dot is a dot, and a pattern covers the whole action.
        (("MicrosoftXKeyVault/vaults/keys/encrypt/action",), (), ENCRYPT, False),
        ((f"{KEYS}/encrypt",), (), ENCRYPT, False),
        (("Microsoft.KeyVault/vaults/key",), (), ENCRYPT, False),
        (("Microsoft.KeyVault.vaults.*",), (), ENCRYPT, False),
        ((f"{KEYS}/encrypt/action\n",), (), ENCRYPT, False),
    ],
)
def test_what_a_role_permits(
    granted: tuple[str, ...], without: tuple[str, ...], action: str, *, expected: bool
) -> None:
    assert permits(role(*granted, without=without), action) is expected


@pytest.mark.parametrize(
    ("scope", "resource_id", "expected"),
    [
        (KEY, KEY, True),
        (VAULT, KEY, True),
        (GROUP, KEY, True),
        (SUBSCRIPTION, KEY, True),
        ("/", KEY, True),
        (KEY.upper(), KEY, True),
        (KEY, KEY.lower(), True),
        (f"{VAULT}/keys/pay", KEY, False),
        (KEY, f"{VAULT}/keys/pay", False),
        (KEY, f"{VAULT}/keys/payload2", False),
        (KEY, f"{VAULT}/secrets/payload", False),
        (KEY, VAULT, False),
        (f"{GROUP}/providers/Microsoft.KeyVault/vaults/vaul", KEY, False),
        (f"{SUBSCRIPTION}/resourceGroups/grou", KEY, False),
    ],
)
def test_where_an_assignment_reaches(scope: str, resource_id: str, *, expected: bool) -> None:
    authorization = Authorization(deployed((role(ENCRYPT),), (assigned(scope),)))
    decision = authorization.decide(ANN, ENCRYPT, resource_id)
    assert decision.allowed is expected
    assert decision.by == (assigned(scope).resource_id if expected else None)
    assert (decision.model, decision.action) == ("rbac", ENCRYPT)


def test_a_grant_is_one_principals_own() -> None:
    authorization = Authorization(deployed((role(ENCRYPT),), (assigned(KEY),)))
    assert authorization.decide(ANN.upper(), ENCRYPT, KEY).allowed
    assert not authorization.decide(BOB, ENCRYPT, KEY).allowed
    assert not authorization.decide("", ENCRYPT, KEY).allowed
    assert not authorization.decide("nobody known", ENCRYPT, KEY).allowed


def test_a_role_is_found_by_its_guid_wherever_its_id_is_written() -> None:
    elsewhere = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/ROLE"
    deployment = deployed((role(ENCRYPT),), (assigned(KEY, role_id=elsewhere),))
    assert Authorization(deployment).decide(ANN, ENCRYPT, KEY).allowed


def test_an_assignment_of_an_unknown_role_gives_nothing() -> None:
    deployment = deployed((), (assigned(KEY),))
    assert not Authorization(deployment).decide(ANN, ENCRYPT, KEY).allowed


def test_what_one_role_excludes_another_may_give() -> None:
    narrow = role(f"{KEYS}/*", without=(DECRYPT,))
    other = RoleDefinition(f"{GROUP}/roleDefinitions/other", "other", (DECRYPT,), ())
    only_narrow = deployed((narrow,), (assigned(KEY),))
    assert not Authorization(only_narrow).decide(ANN, DECRYPT, KEY).allowed
    both = deployed(
        (narrow, other), (assigned(KEY), assigned(KEY, role_id=other.resource_id, number=2))
    )
    assert Authorization(both).decide(ANN, DECRYPT, KEY).allowed


POLICY_CASES = [
    (policy(keys=("encrypt",)), ENCRYPT, KEY, True),
    (policy(keys=("Encrypt",)), ENCRYPT, KEY, True),
    (policy(keys=("encrypt",)), DECRYPT, KEY, False),
    # Policies are vault-wide: any key, and one that does not exist.
    (policy(keys=("encrypt",)), ENCRYPT, f"{VAULT}/keys/another", True),
    (policy(keys=("all",)), DECRYPT, KEY, True),
    (policy(keys=("all",)), f"{SECRETS}/getSecret/action", f"{VAULT}/secrets/s", False),
    (policy(secrets=("all",)), f"{SECRETS}/getSecret/action", f"{VAULT}/secrets/s", True),
    (policy(secrets=("get",)), f"{SECRETS}/getSecret/action", f"{VAULT}/secrets/s", True),
    (policy(secrets=("get",)), f"{SECRETS}/readMetadata/action", VAULT, False),
    (policy(secrets=("get",)), f"{SECRETS}/setSecret/action", f"{VAULT}/secrets/s", False),
    (policy(keys=("get",)), f"{SECRETS}/getSecret/action", f"{VAULT}/secrets/s", False),
    (policy(keys=("wrapKey",)), f"{KEYS}/wrap/action", KEY, True),
    (policy(keys=("unwrapKey",)), f"{KEYS}/wrap/action", KEY, False),
    (policy(keys=("all",)), f"{KEYS}/unheard-of/action", KEY, False),
    (policy(keys=("encrypt",), to=BOB), ENCRYPT, KEY, False),
    (policy(), ENCRYPT, KEY, False),
]


@pytest.mark.parametrize(("granted", "action", "resource_id", "expected"), POLICY_CASES)
def test_access_policies(
    granted: AccessPolicy, action: str, resource_id: str, *, expected: bool
) -> None:
    authorization = Authorization(deployed(spec=vault(granted, uses_rbac=False)))
    decision = authorization.decide(ANN, action, resource_id)
    assert decision.allowed is expected
    assert decision.model == "accessPolicies"
    assert decision.by == (VAULT if expected else None)


def test_reading_keys_is_two_permissions() -> None:
    authorization = Authorization(
        deployed(spec=vault(policy(keys=("list",)), policy(keys=("get",), to=BOB), uses_rbac=False))
    )
    read = f"{KEYS}/read"
    assert authorization.decide(ANN, read, KEY, permission="list").allowed
    assert not authorization.decide(ANN, read, KEY).allowed
    assert authorization.decide(BOB, read, KEY).allowed
    assert not authorization.decide(BOB, read, KEY, permission="list").allowed


def test_each_vault_has_one_model_and_ignores_the_other() -> None:
    grants = ((role("*"),), (assigned(SUBSCRIPTION),))
    allowed_all = policy(keys=("all",), to=BOB)
    by_roles = Authorization(deployed(*grants, spec=vault(allowed_all, uses_rbac=True)))
    assert by_roles.decide(ANN, ENCRYPT, KEY).allowed
    assert not by_roles.decide(BOB, ENCRYPT, KEY).allowed
    by_policies = Authorization(deployed(*grants, spec=vault(allowed_all, uses_rbac=False)))
    assert not by_policies.decide(ANN, ENCRYPT, KEY).allowed
    assert by_policies.decide(BOB, ENCRYPT, KEY).allowed
    assert not by_policies.decide(ANN, ENCRYPT, KEY.upper()).allowed


def test_a_vault_with_policies_leaves_the_rest_to_roles() -> None:
    deployment = deployed(
        (role("*"),), (assigned(GROUP),), spec=vault(policy(keys=("all",)), uses_rbac=False)
    )
    authorization = Authorization(deployment)
    assert authorization.decide(ANN, SEND, QUEUE).allowed
    neighbour = f"{VAULT}2/keys/payload"
    assert authorization.decide(ANN, ENCRYPT, neighbour).model == "rbac"


@pytest.mark.parametrize(
    ("role_name", "allowed", "refused"),
    [
        ("Azure Service Bus Data Sender", [SEND], [RECEIVE, ENCRYPT]),
        ("Azure Service Bus Data Receiver", [RECEIVE], [SEND]),
        ("Azure Service Bus Data Owner", [SEND, RECEIVE], [ENCRYPT]),
        (
            "Key Vault Secrets User",
            [f"{SECRETS}/getSecret/action", f"{SECRETS}/readMetadata/action"],
            [f"{SECRETS}/setSecret/action", f"{KEYS}/read"],
        ),
        (
            "Key Vault Secrets Officer",
            [f"{SECRETS}/getSecret/action", f"{SECRETS}/setSecret/action"],
            [f"{KEYS}/read"],
        ),
        (
            "Key Vault Crypto User",
            [ENCRYPT, DECRYPT, f"{KEYS}/read", f"{KEYS}/wrap/action", f"{KEYS}/unwrap/action"],
            [f"{KEYS}/rotate/action", f"{SECRETS}/getSecret/action"],
        ),
        (
            "Key Vault Crypto Officer",
            [ENCRYPT, f"{KEYS}/rotate/action", f"{KEYS}/read"],
            [f"{SECRETS}/readMetadata/action"],
        ),
        (
            "Key Vault Crypto Service Encryption User",
            [f"{KEYS}/read", f"{KEYS}/wrap/action", f"{KEYS}/unwrap/action"],
            [ENCRYPT, DECRYPT],
        ),
        (
            "Key Vault Reader",
            [f"{KEYS}/read", f"{SECRETS}/readMetadata/action"],
            [ENCRYPT, f"{SECRETS}/getSecret/action"],
        ),
        ("Key Vault Administrator", [ENCRYPT, f"{SECRETS}/getSecret/action"], [SEND]),
        ("Storage Blob Data Owner", [], [SEND, ENCRYPT]),
        ("Monitoring Metrics Publisher", [], [SEND, ENCRYPT]),
    ],
)
def test_built_in_roles(role_name: str, allowed: list[str], refused: list[str]) -> None:
    found = next(role for role in BUILT_IN.values() if role.name == role_name)
    assert [action for action in allowed + refused if permits(found, action)] == allowed


def test_a_changed_deployment_decides_from_then_on() -> None:
    before = deployed((role(ENCRYPT),), (assigned(KEY),))
    authorization = Authorization(before)
    assert authorization.decide(ANN, ENCRYPT, KEY).allowed
    authorization.replace(dataclasses.replace(before, role_assignments=()))
    assert not authorization.decide(ANN, ENCRYPT, KEY).allowed


@pytest.mark.parametrize(
    "deployment",
    [
        deployed((role(KEYS + "/*"),), (assigned(KEY), assigned(KEY, BOB))),
        deployed(
            spec=vault(policy(("encrypt",)), policy(("encrypt",), to=BOB), uses_rbac=False),
        ),
    ],
    ids=["roles", "policies"],
)
def test_grants_are_taken_from_one_principal_and_given_back(deployment: Deployment) -> None:
    authorization = Authorization(deployment)

    def allowed() -> list[bool]:
        return [authorization.decide(who, ENCRYPT, KEY).allowed for who in (ANN, BOB)]

    assert allowed() == [True, True]
    authorization.suspend(ANN.upper())
    assert allowed() == [False, True]
    assert authorization.decide(ANN, ENCRYPT, KEY).by is None
    # Another deployment in the meantime gives nothing back.
    authorization.replace(deployment)
    assert allowed() == [False, True]
    authorization.restore(ANN)
    assert allowed() == [True, True]
    assert not authorization.is_suspended(ANN)
