"""Every way in which a deployment can depart from the declaration is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.access import load as load_access
from checks.declared_rights import packages
from checks.differences import differences
from checks.roles import DATA_ACTIONS, STORE_PACKAGES
from checks.snapshot import PredictedResource, Snapshot
from checks.snapshot import load as load_snapshot

INFRA = Path(__file__).resolve().parents[2] / "infra"
KEYS = "Microsoft.KeyVault/vaults/keys"
SECRETS = "Microsoft.KeyVault/vaults/secrets"
BUS = "Microsoft.ServiceBus/namespaces/messages"
OWNER = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
RECEIVER = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"
PAYLOAD = "vaults/payload/keys/payload"
PARTNER = "vaults/partner/secrets/partner-connection"
STATE = "vaults/state/secrets/partner-state"
DATABASE = "vaults/database/secrets/database-connection"
ELSEWHERE = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/other"
    "/providers/Microsoft.KeyVault/vaults/partner-local/secrets/partner-connection"
)
MESSAGES = "bus/relay/queues/messages"
RECEIPTS = "bus/relay/queues/receipts"

ACCESS = load_access(INFRA / "access.json")

DEPLOYED = {
    *(name for app in ACCESS["apps"] for name in app["identities"]),
    *(operator["name"] for operator in ACCESS["operators"]),
}
"""Who is deployed: the identities of machines are only where machines are asked for."""


def _key(vault: str, key: str) -> str:
    return f"vaults/{vault}/keys/{key}"


def _secret(vault: str, secret: str) -> str:
    return f"vaults/{vault}/secrets/{secret}"


IN_VAULTS = [
    *(
        (one["identity"], f"{KEYS}/{use}/action", _key(one["vault"], one["key"]))
        for one in ACCESS["keyGrants"]
        for use in one["operations"]
        if one["identity"] in DEPLOYED
    ),
    *(
        (of["operator"], f"{KEYS}/{use}", _key(of["vault"], of["key"]))
        for of in ACCESS["operatorKeyGrants"]
        for use in (one if one == "read" else f"{one}/action" for one in of["operations"])
    ),
    *(
        (held["identity"], f"{SECRETS}/getSecret/action", _secret(held["vault"], held["secret"]))
        for held in ACCESS["secretGrants"]
        if held["identity"] in DEPLOYED
    ),
    *(
        (by["operator"], f"{SECRETS}/{use}/action", _secret(by["vault"], by["secret"]))
        for by in ACCESS["operatorSecretGrants"]
        for use in by["operations"]
    ),
]
"""Who may do what on which object of a vault, as declared."""
ENCRYPTING = [(who, key) for who, use, key in IN_VAULTS if use == f"{KEYS}/encrypt/action"]
READING = [(who, secret) for who, use, secret in IN_VAULTS if use.endswith("/getSecret/action")]

SEE = "Microsoft.ServiceBus/namespaces/queues/read (control plane)"
QUEUE_SCOPE = "/relay-local/queues/receipts', 'M"

OPERATOR = "00000000-0000-4000-8000-000000000100"
STRANGER = "5f0b6a8e-0000-4000-8000-000000000000"
IDLE = "undeclared: vaults/{} goes by access policies, yet by a role"

Change = Callable[[Snapshot], None]

BY_ROLE: list[tuple[Change, tuple[str, ...]]] = []
BY_POLICY: list[tuple[Change, tuple[str, ...]]] = []


def named(
    *expected: str, by: list[tuple[Change, tuple[str, ...]]] = BY_ROLE
) -> Callable[[Change], Change]:
    """Say what differences a change of a snapshot must give rise to."""

    def registered(change: Change) -> Change:
        by.append((change, expected))
        return change

    return registered


def snapshot(name: str) -> Snapshot:
    return load_snapshot(INFRA / f"{name}.snapshot.json")


def the(made: Snapshot, part: str, kind: str) -> PredictedResource:
    """The one resource of a type whose id, or whose own words, have a part."""
    found = [
        resource
        for resource in made["predictedResources"]
        if resource["type"].endswith(kind) and part in str(resource)
    ]
    assert len(found) == 1, [resource["id"] for resource in found]
    return found[0]


def assignment(made: Snapshot, who: str, where: str, role: str = "") -> PredictedResource:
    found = [
        resource
        for resource in made["predictedResources"]
        if resource["type"].endswith("/roleAssignments")
        and f"/{who}-local'" in resource["properties"]["principalId"]
        and where in resource["id"]
        and role in resource["properties"]["roleDefinitionId"]
    ]
    assert len(found) == 1, [resource["id"] for resource in found]
    return found[0]


def permissions(made: Snapshot, role: str) -> dict[str, list[str]]:
    block = the(made, f"Relay {role}", "/roleDefinitions")["properties"]["permissions"][0]
    assert isinstance(block, dict)
    return block


def settings(made: Snapshot, app: str) -> list[dict[str, str]]:
    listed = the(made, f"sites/relay-{app}-", "/sites")["properties"]["siteConfig"]["appSettings"]
    assert isinstance(listed, list)
    return listed


def set_value(made: Snapshot, app: str, name: str, value: str) -> None:
    next(s for s in settings(made, app) if s["name"] == name)["value"] = value


def move(resource: PredictedResource, old: str, new: str) -> None:
    assert old in resource["id"]
    resource["id"] = resource["id"].replace(old, new)


def add(made: Snapshot, resource: PredictedResource) -> None:
    made["predictedResources"].append(resource)


def remove(made: Snapshot, resource: PredictedResource) -> None:
    made["predictedResources"].remove(resource)


def copied(made: Snapshot, resource: PredictedResource, old: str, new: str) -> PredictedResource:
    twin = copy.deepcopy(resource)
    move(twin, old, new)
    add(made, twin)
    return twin


def identity_id(made: Snapshot, name: str) -> str:
    return the(made, f"userAssignedIdentities/{name}-", "/userAssignedIdentities")["id"]


def policies(made: Snapshot, vault: str) -> list[dict[str, dict[str, list[str]]]]:
    listed = the(made, f"vaults/{vault}-local", "KeyVault/vaults")["properties"]["accessPolicies"]
    assert isinstance(listed, list)
    return listed


@named(
    *(
        f"undeclared: {identity} may {action} on {key}"
        for identity, key in ENCRYPTING
        for action in DATA_ACTIONS
        if action.startswith(f"{KEYS}/") and not action.endswith("/encrypt/action")
    )
)
def wildcard_role(made: Snapshot) -> None:
    permissions(made, "encrypt")["dataActions"] = [f"{KEYS}/*"]


@named(*(f"undeclared: {identity} may {KEYS}/read on {key}" for identity, key in ENCRYPTING))
def wider_role(made: Snapshot) -> None:
    permissions(made, "encrypt")["dataActions"].append(f"{KEYS}/read")


@named(f"missing: decrypt may {KEYS}/decrypt/action on {PAYLOAD}")
def excluding_role(made: Snapshot) -> None:
    permissions(made, "decrypt")["notDataActions"] = ["*/decrypt/*"]


@named(
    *(
        f"undeclared: {identity} may Microsoft.KeyVault/vaults/write (control plane) on {secret}"
        for identity, secret in READING
    )
)
def managing_role(made: Snapshot) -> None:
    permissions(made, "read a secret")["actions"] = ["Microsoft.KeyVault/vaults/write"]


@named(
    *(f"undeclared: {identity} may Microsoft.Storage/* on {secret}" for identity, secret in READING)
)
def foreign_data_role(made: Snapshot) -> None:
    permissions(made, "read a secret")["dataActions"].append("Microsoft.Storage/*")


@named(
    f"missing: tracker_bus may {BUS}/receive/action on {RECEIPTS}",
    f"undeclared: tracker_bus may what role {OWNER} permits on {RECEIPTS}",
)
def owner_role(made: Snapshot) -> None:
    assignment(made, "tracker_bus", "receipts", RECEIVER)["properties"]["roleDefinitionId"] = OWNER


@named(
    f"missing: sender_bus may {BUS}/send/action on {MESSAGES}",
    f"undeclared: sender_bus may {BUS}/receive/action on {MESSAGES}",
)
def exchanged_role(made: Snapshot) -> None:
    given = assignment(made, "sender_bus", "messages")["properties"]
    given["roleDefinitionId"] = assignment(made, "tracker_bus", "receipts", RECEIVER)["properties"][
        "roleDefinitionId"
    ]


@named(f"undeclared: encrypt may {KEYS}/encrypt/action on vaults/payload")
def vault_scope(made: Snapshot) -> None:
    move(assignment(made, "encrypt", "keys/payload"), "/keys/payload", "")


@named(f"undeclared: sender_bus may {BUS}/send/action on bus/relay")
def namespace_scope(made: Snapshot) -> None:
    move(assignment(made, "sender_bus", "messages"), "/queues/messages", "")


@named(f"undeclared: partner may {SECRETS}/getSecret/action on group")
def group_scope(made: Snapshot) -> None:
    vault = "/providers/Microsoft.KeyVault/vaults/partner-local/secrets/partner-connection"
    move(assignment(made, "partner", "partner-connection"), vault, "")


@named(f"undeclared: partner may {SECRETS}/getSecret/action on subscription")
def subscription_scope(made: Snapshot) -> None:
    group_scope(made)
    moved = assignment(made, "partner", "relay-local', 'Microsoft.Authorization")
    move(moved, "/resourceGroups/relay-local", "")


@named(
    f"missing: partner may {SECRETS}/getSecret/action on {PARTNER}",
    f"undeclared: partner may {SECRETS}/getSecret/action on {ELSEWHERE}",
)
def elsewhere_scope(made: Snapshot) -> None:
    move(assignment(made, "partner", "partner-connection"), "/relay-local/", "/other/")


@named(
    f"missing: partner may {SECRETS}/getSecret/action on {PARTNER}",
    f"undeclared: partner may {SECRETS}/getSecret/action if @Resource on {PARTNER}",
)
def conditional_grant(made: Snapshot) -> None:
    assignment(made, "partner", "partner-connection")["properties"]["condition"] = "@Resource"


@named(f"missing: receiver_bus may {BUS}/send/action on {RECEIPTS}")
def missing_grant(made: Snapshot) -> None:
    remove(made, assignment(made, "receiver_bus", "receipts"))


@named(f"undeclared: tracker_bus may {BUS}/receive/action on bus/relay/queues/rejected")
def extra_grant(made: Snapshot) -> None:
    given = assignment(made, "tracker_bus", "receipts", RECEIVER)
    copied(made, given, "queues/receipts", "queues/rejected")


@named(f"undeclared: apps/sender may {KEYS}/decrypt/action on {PAYLOAD}")
def grant_to_system_identity(made: Snapshot) -> None:
    twin = copied(made, assignment(made, "decrypt", "keys/payload"), "guid(", "guid('f', ")
    site = the(made, "sites/relay-sender-", "/sites")["id"]
    twin["properties"]["principalId"] = (
        f"[reference('{site}', '2025-03-01', 'Full').identity.principalId]"
    )


@named(
    f"missing: decrypt may {KEYS}/decrypt/action on {PAYLOAD}",
    f"undeclared: 5f0b6a8e-0000-4000-8000-000000000000 may {KEYS}/decrypt/action on {PAYLOAD}",
)
def grant_to_somebody(made: Snapshot) -> None:
    given = assignment(made, "decrypt", "keys/payload")["properties"]
    given["principalId"] = "5f0b6a8e-0000-4000-8000-000000000000"


def operator_assignment(made: Snapshot, where: str) -> PredictedResource:
    return next(
        resource
        for resource in made["predictedResources"]
        if resource["type"].endswith("/roleAssignments")
        and resource["properties"]["principalId"] == OPERATOR
        and where in resource["id"]
    )


@named(
    f"missing: operator may {BUS}/receive/action on bus/relay/queues/rejected",
    f"undeclared: {STRANGER} may {BUS}/receive/action on bus/relay/queues/rejected",
)
def stranger_for_operator(made: Snapshot) -> None:
    operator_assignment(made, "rejected")["properties"]["principalId"] = STRANGER


@named(f"undeclared: operator may {BUS}/receive/action on {MESSAGES}")
def operator_takes_messages(made: Snapshot) -> None:
    copied(made, operator_assignment(made, "rejected"), "queues/rejected", "queues/messages")


@named(f"undeclared: operator may {BUS}/send/action on bus/relay")
def operator_at_the_namespace(made: Snapshot) -> None:
    move(operator_assignment(made, "messages"), "/queues/messages", "")


@named(f"undeclared: operator may {KEYS}/decrypt/action on {PAYLOAD}")
def operator_decrypts(made: Snapshot) -> None:
    twin = copied(made, assignment(made, "decrypt", "keys/payload"), "guid(", "guid('f', ")
    twin["properties"]["principalId"] = OPERATOR


@named(
    "missing: operators/operator",
    f"missing: operator may {BUS}/receive/action on bus/relay/queues/rejected",
    f"missing: operator may {BUS}/send/action on {MESSAGES}",
    f"missing: operator may {BUS}/send/action on {RECEIPTS}",
    f"undeclared: {OPERATOR} may {BUS}/receive/action on bus/relay/queues/rejected",
    f"undeclared: {OPERATOR} may {BUS}/send/action on {MESSAGES}",
    f"undeclared: {OPERATOR} may {BUS}/send/action on {RECEIPTS}",
)
def operator_is_nobody(made: Snapshot) -> None:
    made["outputs"]["operators"]["operator"] = []


@named(
    "undeclared: operators/auditor",
    f"undeclared: auditor may {BUS}/receive/action on bus/relay/queues/rejected",
    f"undeclared: auditor may {BUS}/send/action on {MESSAGES}",
    f"undeclared: auditor may {BUS}/send/action on {RECEIPTS}",
)
def operator_under_another_name(made: Snapshot) -> None:
    made["outputs"]["operators"]["auditor"] = [OPERATOR]


@named("missing: rejected delivers 2000 times")
def rejected_gives_up(made: Snapshot) -> None:
    del the(made, "'relay-local/rejected'", "/queues")["properties"]["maxDeliveryCount"]


@named("undeclared: vaults/payload goes by roles and has access policies")
def policy_in_a_role_vault(made: Snapshot) -> None:
    vault = the(made, "vaults/payload-local", "KeyVault/vaults")["properties"]
    vault["accessPolicies"] = [
        {"objectId": "someone", "permissions": {"keys": ["all"], "secrets": []}}
    ]


@named("undeclared: apps/sender has identities/decrypt")
def extra_attachment(made: Snapshot) -> None:
    site = the(made, "sites/relay-sender-", "/sites")
    site["identity"]["userAssignedIdentities"][identity_id(made, "decrypt")] = {}


@named("undeclared: Microsoft.Web/serverfarms/sender-local has identities/decrypt")
def attachment_elsewhere(made: Snapshot) -> None:
    plan = the(made, "serverfarms/sender-", "/serverfarms")
    plan["identity"] = {"userAssignedIdentities": {identity_id(made, "decrypt"): {}}}


@named("missing: apps/receiver has identities/partner")
def missing_attachment(made: Snapshot) -> None:
    site = the(made, "sites/relay-receiver-", "/sites")
    del site["identity"]["userAssignedIdentities"][identity_id(made, "partner")]


@named("missing: apps/tracker has an identity of its own")
def missing_system_identity(made: Snapshot) -> None:
    the(made, "sites/relay-tracker-", "/sites")["identity"]["type"] = "UserAssigned"


@named("missing: identities/partner")
def missing_identity(made: Snapshot) -> None:
    remove(made, the(made, "userAssignedIdentities/partner-", "/userAssignedIdentities"))


@named("undeclared: identities/spare")
def extra_identity(made: Snapshot) -> None:
    spare = the(made, "userAssignedIdentities/partner-", "/userAssignedIdentities")
    copied(made, spare, "/partner-", "/spare-")


@named(
    "missing: bus/relay/queues/receipts",
    "missing: receipts delivers 50 times",
    "missing: receipts forwards dead letters to dead-letters",
    "missing: receipts locks for PT5M",
)
def missing_queue(made: Snapshot) -> None:
    remove(made, the(made, "relay-local/receipts", "/queues"))


@named("missing: apps/receiver has the setting RELAY_QUEUE_REJECTED = rejected")
def lost_setting(made: Snapshot) -> None:
    listed = settings(made, "receiver")
    listed.remove(next(s for s in listed if s["name"] == "RELAY_QUEUE_REJECTED"))


@named(
    "missing: apps/sender has the setting "
    "RELAY_STATUS_URL = https://relay-tracker-local.azurewebsites.net",
    "undeclared: apps/sender has the setting RELAY_STATUS_URL = https://elsewhere.example",
)
def status_elsewhere(made: Snapshot) -> None:
    for setting in settings(made, "sender"):
        if setting["name"] == "RELAY_STATUS_URL":
            setting["value"] = "https://elsewhere.example"


@named("undeclared: apps/sender has the setting RELAY_CA_BUNDLE = ca.pem")
def extra_setting(made: Snapshot) -> None:
    settings(made, "sender").append({"name": "RELAY_CA_BUNDLE", "value": "ca.pem"})


@named("undeclared: apps/sender has the setting RELAY_APP 2 times")
def doubled_setting(made: Snapshot) -> None:
    settings(made, "sender").append({"name": "RELAY_APP", "value": "sender"})


@named(
    "missing: apps/sender has the setting RELAY_IDENTITY_ENCRYPT = clientId of identities/encrypt",
    "undeclared: apps/sender has the setting RELAY_IDENTITY_ENCRYPT "
    "= clientId of identities/database",
)
def crossed_setting(made: Snapshot) -> None:
    other = f"[reference('{identity_id(made, 'database')}', '2024-11-30').clientId]"
    set_value(made, "sender", "RELAY_IDENTITY_ENCRYPT", other)


@named(
    f"missing: apps/sender has the setting RELAY_KEY_PAYLOAD = keyUri of {PAYLOAD}",
    f"undeclared: apps/sender has the setting RELAY_KEY_PAYLOAD = keyUriWithVersion of {PAYLOAD}",
)
def versioned_key(made: Snapshot) -> None:
    listed = settings(made, "sender")
    value = next(s["value"] for s in listed if s["name"] == "RELAY_KEY_PAYLOAD")
    set_value(made, "sender", "RELAY_KEY_PAYLOAD", value.replace(".keyUri", ".keyUriWithVersion"))


@named("missing: receipts locks for PT5M", "undeclared: receipts locks for PT30S")
def short_lock(made: Snapshot) -> None:
    the(made, "'relay-local/receipts'", "/queues")["properties"]["lockDuration"] = "PT30S"


@named("undeclared: retries forwards to messages")
def one_more_forward(made: Snapshot) -> None:
    the(made, "relay-local/retries", "/queues")["properties"]["forwardTo"] = "messages"


@named("missing: retries drops duplicates within PT10M")
def kept_duplicates(made: Snapshot) -> None:
    the(made, "relay-local/retries", "/queues")["properties"]["requiresDuplicateDetection"] = False


@named(
    "missing: messages forwards dead letters to dead-letters",
    "undeclared: messages forwards dead letters to receipts",
)
def turned_forward(made: Snapshot) -> None:
    queue = the(made, "'relay-local/messages'", "/queues")["properties"]
    queue["forwardDeadLetteredMessagesTo"] = "receipts"


@named("undeclared: receipts drops duplicates within PT10M")
def swallowed_duplicates(made: Snapshot) -> None:
    the(made, "'relay-local/receipts'", "/queues")["properties"]["requiresDuplicateDetection"] = (
        True
    )


@named(f"undeclared: encrypt may {KEYS}/read on {PAYLOAD}", by=BY_POLICY)
def wider_policy(made: Snapshot) -> None:
    policies(made, "payload")[0]["permissions"]["keys"].append("Get")


@named(
    "undeclared: encrypt may Microsoft.KeyVault/vaults/certificates/list/action on vaults/payload",
    by=BY_POLICY,
)
def policy_of_another_family(made: Snapshot) -> None:
    policies(made, "payload")[0]["permissions"]["certificates"] = ["list"]


@named(f"missing: key_officer may {KEYS}/read on {PAYLOAD}: its policy lacks list", by=BY_POLICY)
def half_of_a_right(made: Snapshot) -> None:
    (policy,) = (p for p in policies(made, "payload") if "list" in p["permissions"]["keys"])
    policy["permissions"]["keys"].remove("list")


@named(
    *(
        f"missing: {identity} may {SECRETS}/getSecret/action on {secret}"
        for identity, secret in READING
        if secret.startswith("vaults/database/")
    ),
    by=BY_POLICY,
)
def lost_policy(made: Snapshot) -> None:
    policies(made, "database").clear()


@named(
    "undeclared: vaults/partner/secrets/other",
    f"undeclared: partner may {SECRETS}/getSecret/action on vaults/partner/secrets/other",
    f"undeclared: secrets_officer may {SECRETS}/readMetadata/action"
    " on vaults/partner/secrets/other",
    f"undeclared: secrets_officer may {SECRETS}/setSecret/action on vaults/partner/secrets/other",
    by=BY_POLICY,
)
def second_object(made: Snapshot) -> None:
    secret = the(made, "partner-connection", "/secrets")
    copied(made, secret, "secrets/partner-connection", "secrets/other")


@named(
    *(
        f"{IDLE.format(found.split('/')[1])} {identity} may {action} on {found}"
        for identity, action, found in IN_VAULTS
    ),
    by=BY_POLICY,
)
def role_in_a_policy_vault(made: Snapshot) -> None:
    for resource in snapshot("local")["predictedResources"]:
        in_a_vault = resource["type"].endswith("/roleAssignments") and "/vaults/" in resource["id"]
        if in_a_vault or resource["type"].endswith("/roleDefinitions"):
            add(made, resource)


@named(
    f"undeclared: receiver_bus may {BUS}/receive/action on bus/relay",
    f"undeclared: tracker_bus may {BUS}/receive/action on bus/relay",
    f"undeclared: tracker_bus may {BUS}/receive/action on {RECEIPTS}, twice",
    f"undeclared: tracker_bus may {SEE} on {RECEIPTS}",
)
def a_right_by_two_roles(made: Snapshot) -> None:
    role = the(made, "see the length of queues", "/roleDefinitions")
    role["properties"]["permissions"][0]["dataActions"] = [f"{BUS}/receive/action"]
    given = assignment(made, "tracker_bus", "receipts", RECEIVER)
    twin = copied(made, given, RECEIVER, role["name"])
    twin["properties"]["roleDefinitionId"] = role["id"]


@named(
    f"missing: tracker_bus may {SEE} on bus/relay",
    f"undeclared: tracker_bus may {SEE} on {RECEIPTS}",
)
def scaling_by_the_queue_alone(made: Snapshot) -> None:
    role = the(made, "see the length of queues", "/roleDefinitions")["id"]
    move(assignment(made, "tracker_bus", "relay-local', ", role), "/relay-local', 'M", QUEUE_SCOPE)


@named(
    *(f"undeclared: sender_package may {action} on storages/sender" for action in STORE_PACKAGES),
)
def a_package_right_at_the_account(made: Snapshot) -> None:
    given = assignment(made, "sender_package", "senderlocal")
    move(given, "/blobServices/default/containers/packages", "")


@named(
    *(f"missing: sender_package may {action} on {packages('sender')}" for action in STORE_PACKAGES),
)
def a_package_right_that_comes_too_late(made: Snapshot) -> None:
    remove(made, assignment(made, "sender_package", "senderlocal"))


@named(
    "missing: apps/sender stores its package under identities/sender_package",
    "undeclared: apps/sender stores its package under identities/encrypt",
)
def a_package_under_another_identity(made: Snapshot) -> None:
    site = the(made, "sites/relay-sender-", "/sites")["properties"]
    under = site["functionAppConfig"]["deployment"]["storage"]["authentication"]
    under["userAssignedIdentityResourceId"] = identity_id(made, "encrypt")


@named("missing: apps/sender stores its package under identities/sender_package")
def a_package_under_the_app_itself(made: Snapshot) -> None:
    site = the(made, "sites/relay-sender-", "/sites")["properties"]
    storage = site["functionAppConfig"]["deployment"]["storage"]
    storage["authentication"] = {"type": "SystemAssignedIdentity"}


@named(
    f"missing: encrypt may {KEYS}/encrypt/action on {PAYLOAD}",
    f"undeclared: encrypt may {KEYS}/encrypt/action on [resourceId('x', encrypt)]",
)
def an_assignment_nobody_knows_where(made: Snapshot) -> None:
    assignment(made, "encrypt", "keys/payload")["id"] = "[resourceId('x', encrypt)]"


@named(
    f"missing: partner may {SECRETS}/getSecret/action on {PARTNER}",
    f"missing: secrets_officer may {SECRETS}/readMetadata/action on {PARTNER}",
    f"missing: secrets_officer may {SECRETS}/setSecret/action on {PARTNER}",
    "undeclared: vaults/partner goes by roles and has access policies",
    by=BY_POLICY,
)
def switched_mode(made: Snapshot) -> None:
    the(made, "vaults/partner-local", "KeyVault/vaults")["properties"][
        "enableRbacAuthorization"
    ] = True


@pytest.mark.parametrize(("change", "expected"), BY_ROLE, ids=lambda v: getattr(v, "__name__", ""))
def test_a_departure_by_role_is_named(change: Change, expected: tuple[str, ...]) -> None:
    depart("local", change, expected)


@pytest.mark.parametrize(
    ("change", "expected"), BY_POLICY, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_departure_by_policy_is_named(change: Change, expected: tuple[str, ...]) -> None:
    depart("local-policies", change, expected)


def depart(name: str, change: Change, expected: tuple[str, ...]) -> None:
    made = snapshot(name)
    change(made)
    found = [str(difference) for difference in differences(ACCESS, made)]
    assert sorted(found) == sorted(expected)


def test_an_optional_setting_is_allowed_where_it_is_known() -> None:
    made = snapshot("local")
    extra_setting(made)
    assert differences(ACCESS, made, {"sender": {"RELAY_CA_BUNDLE": "ca.pem"}}) == []
    (other,) = differences(ACCESS, made, {"receiver": {}, "sender": {}})
    assert "RELAY_CA_BUNDLE" in str(other)


def test_an_optional_setting_has_the_value_that_it_was_given() -> None:
    made = snapshot("local")
    extra_setting(made)
    assert differences(ACCESS, made, {"sender": {"RELAY_CA_BUNDLE": "other.pem"}}) != []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RELAY_DATABASE_PASSWORD", "hunter2"),
        ("RELAY_X", "Endpoint=sb://x/;SharedAccessKey=abc"),
        ("RELAY_X", "postgresql://relay:hunter2@x/relay"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=1"),
    ],
)
def test_the_value_of_a_setting_that_may_be_a_secret_is_not_shown(name: str, value: str) -> None:
    made = snapshot("local")
    listed = settings(made, "sender")
    listed[:] = [one for one in listed if one["name"] != name]
    listed.append({"name": name, "value": value})
    found = " ".join(str(one) for one in differences(ACCESS, made))
    assert f"undeclared: apps/sender has the setting {name} = (a value that is not shown)" in found
    assert value not in found
    assert differences(ACCESS, made, {"tracker": {"RELAY_CA_BUNDLE": "ca.pem"}}) != []
