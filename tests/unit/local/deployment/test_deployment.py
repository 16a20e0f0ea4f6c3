from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.authorization.authorization import Authorization
from local.deployment.deployment import load, settings_of
from local.deployment.resources import Deployment, ObjectAttributes
from local.deployment.roles import BUILT_IN
from local.deployment.rotation_policy import LifetimeAction, RotationPolicy
from local.deployment.snapshot import DeploymentError
from local.resource_manager.expressions import Reference, guid

INFRA = Path(__file__).parents[4] / "infra"
SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/group"
TENANT = "00000000-0000-4000-8000-000000000002"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/encrypt"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/payload"
KEY = f"{VAULT}/keys/payload"
SECRET = f"{VAULT}/secrets/partner"
BUS = f"{GROUP}/providers/Microsoft.ServiceBus/namespaces/bus"
QUEUE = f"{BUS}/queues/messages"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/relay-sender"
ROLE = f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions/11111111-0000-4000-8000-0000000a"
ASSIGNMENT = f"{KEY}/providers/Microsoft.Authorization/roleAssignments/1"
PLAN = f"{GROUP}/providers/Microsoft.Web/serverfarms/plan"
SENDER_ROLE = (
    f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
)

Json = dict[str, Any]
Load = Callable[[Json], Deployment]


def resource(resource_id: str, version: str = "2026-01-01", **more: object) -> Json:
    kind = resource_id.rpartition("/providers/")[2].split("/")
    names = "/".join([kind[0], *kind[1::2]])
    return {
        "id": resource_id,
        "type": names,
        "name": resource_id.rpartition("/")[2],
        "apiVersion": version,
        "location": "westeurope",
        **more,
    }


def setting(name: str, value: str) -> Json:
    return {"name": name, "value": value}


def sample() -> Json:
    principal = f"[reference('{IDENTITY}', '2024-11-30').principalId]"
    resources = [
        resource(IDENTITY),
        resource(
            ROLE,
            properties={
                "roleName": "encrypt",
                "type": "CustomRole",
                "assignableScopes": [GROUP],
                "permissions": [{"dataActions": ["Microsoft.KeyVault/vaults/keys/encrypt/action"]}],
            },
        ),
        resource(
            VAULT,
            "2026-02-01",
            properties={
                "tenantId": TENANT,
                "sku": {"family": "A", "name": "standard"},
                "accessPolicies": [
                    {
                        "tenantId": TENANT,
                        "objectId": principal,
                        "permissions": {"keys": ["Encrypt"], "secrets": []},
                    }
                ],
            },
        ),
        resource(KEY, properties={"kty": "RSA", "keySize": 3072, "keyOps": ["encrypt"]}),
        resource(SECRET, properties={"value": "[parameters('s')]", "contentType": "text/plain"}),
        resource(
            BUS,
            sku={"name": "Standard", "tier": "Standard"},
            properties={"disableLocalAuth": True},
        ),
        resource(QUEUE, properties={"lockDuration": "PT30S", "forwardTo": "RETRIES"}),
        resource(f"{BUS}/queues/retries", properties={}),
        resource(PLAN, anything={"at": "all"}),
        resource(
            SITE,
            kind="functionapp,linux",
            identity={
                "type": "SystemAssigned, UserAssigned",
                "userAssignedIdentities": {IDENTITY.upper(): {}},
            },
            properties={
                "serverFarmId": PLAN,
                "functionAppConfig": {"runtime": {"name": "python", "version": "3.13"}},
                "siteConfig": {
                    "appSettings": [
                        setting("RELAY_APP", "sender"),
                        setting("ID", f"[reference('{IDENTITY}', '2024-11-30').clientId]"),
                        setting("KEY", f"[reference('{KEY}', '2026-02-01').keyUri]"),
                        setting("SECRET", f"[reference('{SECRET}', '2026-02-01').secretUri]"),
                        setting("VAULT", f"[reference('{VAULT.lower()}', '2026-02-01').vaultUri]"),
                        setting("BOOL", "True"),
                    ]
                },
            },
        ),
        resource(
            ASSIGNMENT,
            properties={
                "roleDefinitionId": ROLE,
                "principalId": principal,
                "principalType": "ServicePrincipal",
            },
        ),
    ]
    return {"predictedResources": resources, "diagnostics": [], "outputs": {"o": "[whatever()]"}}


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def write_and_load(snapshot: Json) -> Deployment:
        path = tmp_path / "x.snapshot.json"
        path.write_text(json.dumps(snapshot))
        return load(path)

    return write_and_load


def find(snapshot: Json, resource_id: str) -> Json:
    found: Json = next(r for r in snapshot["predictedResources"] if r["id"] == resource_id)
    return found


def put(snapshot: Json, resource_id: str, path: str, value: object) -> Json:
    changed = copy.deepcopy(snapshot)
    at: Any = find(changed, resource_id)
    steps = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps[:-1]:
        at = at[step] if isinstance(step, int) else at.setdefault(step, {})
    at[steps[-1]] = value
    return changed


def test_everything_of_a_deployment(loaded: Load) -> None:
    deployment = loaded(sample())
    (identity,) = deployment.identities
    (vault,) = deployment.vaults
    (app,) = deployment.apps
    (bus,) = deployment.namespaces
    assert deployment.tenant_id == TENANT
    assert identity.name == "encrypt"
    assert (vault.name, vault.location, vault.uses_rbac) == ("payload", "westeurope", True)
    assert vault.policies[0].principal_id == identity.principal_id
    assert vault.policies[0].keys == {"encrypt"}
    assert [(k.name, k.size, k.operations) for k in vault.keys] == [("payload", 3072, ("encrypt",))]
    assert [(s.name, s.content_type) for s in vault.secrets] == [("partner", "text/plain")]
    assert (bus.host, bus.tier, bus.local_auth) == ("bus.servicebus.windows.net", "Standard", False)
    assert [queue.name for queue in bus.queues] == ["messages", "retries"]
    assert bus.queues[0].lock_duration == timedelta(seconds=30)
    assert app.identities == (identity,)
    assert app.system_identity is not None
    assert app.system_identity.resource_id == SITE
    assert (app.name, app.app) == ("relay-sender", "sender")
    assert app.settings["ID"] == identity.client_id
    assert app.settings["KEY"] == Reference(KEY, "keyUri")
    assert [role.name for role in deployment.role_definitions] == ["encrypt"]
    assert deployment.role_assignments[0].scope == KEY
    assert deployment.role_assignments[0].principal_id == identity.principal_id
    assert deployment.ignored == (PLAN,)


def test_what_a_deployment_says_of_keys_and_secrets_is_read(loaded: Load) -> None:
    attributes = {"enabled": False, "nbf": 1, "exp": 2}
    action = {"action": {"type": "rotate"}, "trigger": {"timeAfterCreate": "P90D"}}
    policy = {"attributes": {"expiryTime": "P2Y"}, "lifetimeActions": [action]}
    snapshot = put(sample(), KEY, "properties", {"kty": "EC", "curveName": "P-384"})
    snapshot = put(snapshot, KEY, "properties.attributes", attributes)
    snapshot = put(snapshot, KEY, "properties.rotationPolicy", policy)
    snapshot = put(snapshot, SECRET, "properties.attributes", attributes)
    snapshot = put(snapshot, SECRET, "properties.value", "planted")
    for one in (KEY, SECRET):
        snapshot = put(snapshot, one, "tags", {"a": "b"})
    vault = loaded(snapshot).vaults[0]
    (key,), (secret,) = vault.keys, vault.secrets
    assert (key.kty, key.curve, key.operations) == ("EC", "P-384", ("sign", "verify"))
    assert key.attributes == secret.attributes == ObjectAttributes(False, 1, 2)
    assert key.tags == secret.tags == {"a": "b"}
    rotate = LifetimeAction("Rotate", after_create="P90D")
    assert key.rotation_policy == RotationPolicy((rotate,), "P2Y")
    assert secret.value == "planted"
    assert "planted" not in repr(secret)
    secure = put(snapshot, SECRET, "properties.value", "[parameters('values')['partner']]")
    assert loaded(secure).vaults[0].secrets[0].value is None


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, (90, False, False)),
        ({"softDeleteRetentionInDays": 7, "enablePurgeProtection": True}, (7, True, False)),
        ({"sku": {"family": "A", "name": "premium"}}, (90, False, True)),
    ],
)
def test_what_a_vault_keeps_of_the_deleted_is_read(
    loaded: Load, properties: Json, expected: tuple[int, bool, bool]
) -> None:
    snapshot = sample()
    for name, value in properties.items():
        snapshot = put(snapshot, VAULT, f"properties.{name}", value)
    vault = loaded(snapshot).vaults[0]
    assert (vault.retention_days, vault.purge_protection, vault.premium) == expected


def test_defaults_are_azures(loaded: Load) -> None:
    snapshot = put(sample(), KEY, "properties", {"kty": "rsa"})
    deployment = loaded(snapshot)
    key, queue = deployment.vaults[0].keys[0], deployment.namespaces[0].queues[1]
    assert (key.size, len(key.operations)) == (2048, 6)
    assert queue.lock_duration == timedelta(minutes=1)
    assert queue.max_delivery_count == 10
    assert queue.duplicate_window is None
    assert queue.time_to_live is None
    assert not queue.dead_letter_on_expiration
    assert (queue.max_message_bytes, queue.max_size_bytes) == (256 * 1024, 1024**3)


@pytest.mark.parametrize(("version", "expected"), [("2024-11-01", False), ("2026-02-01", True)])
def test_the_default_model_of_a_vault_follows_its_api_version(
    loaded: Load, version: str, *, expected: bool
) -> None:
    assert loaded(put(sample(), VAULT, "apiVersion", version)).vaults[0].uses_rbac is expected


def test_the_properties_of_a_queue(loaded: Load) -> None:
    properties = {
        "lockDuration": "PT5M",
        "maxDeliveryCount": 3,
        "requiresDuplicateDetection": True,
        "duplicateDetectionHistoryTimeWindow": "PT20S",
        "defaultMessageTimeToLive": "P1D",
        "deadLetteringOnMessageExpiration": True,
        "forwardTo": "retries",
        "forwardDeadLetteredMessagesTo": "retries",
        "maxSizeInMegabytes": 2048,
        "maxMessageSizeInKilobytes": 256,
        "enableBatchedOperations": True,
        "requiresSession": False,
        "status": "Active",
        "autoDeleteOnIdle": "P10675199DT2H48M5.4775807S",
    }
    queue = loaded(put(sample(), QUEUE, "properties", properties)).namespaces[0].queues[0]
    assert queue.lock_duration == timedelta(minutes=5)
    assert queue.max_delivery_count == 3
    assert queue.duplicate_window == timedelta(seconds=20)
    assert queue.time_to_live == timedelta(days=1)
    assert queue.dead_letter_on_expiration
    assert (queue.forward_to, queue.forward_dead_letters_to) == ("retries", "retries")
    assert queue.max_size_bytes == 2 * 1024**3


def test_a_null_property_is_an_absent_one(loaded: Load) -> None:
    snapshot = put(sample(), QUEUE, "properties.forwardTo", None)
    assert loaded(snapshot).namespaces[0].queues[0].forward_to is None


def test_ids_are_the_same_in_every_run_and_differ_from_each_other(loaded: Load) -> None:
    one, two = loaded(sample()), loaded(sample())
    assert one == two
    identity, app = one.identities[0], one.apps[0]
    assert app.system_identity is not None
    ids = {
        identity.principal_id,
        identity.client_id,
        app.system_identity.principal_id,
        app.system_identity.client_id,
    }
    assert len(ids) == 4


def test_resource_ids_are_compared_without_regard_to_case(loaded: Load) -> None:
    properties = find(sample(), ASSIGNMENT)["properties"]
    shouted = f"[reference('{IDENTITY.upper()}', '2024-11-30').PRINCIPALID]"
    changed = {**properties, "principalId": shouted, "roleDefinitionId": ROLE.upper()}
    deployment = loaded(put(sample(), ASSIGNMENT, "properties", changed))
    assert deployment.role_assignments[0].principal_id == deployment.identities[0].principal_id


def test_the_principal_of_an_app_itself(loaded: Load) -> None:
    own = f"[reference('{SITE}', '2025-03-01', 'full').identity.principalId]"
    deployment = loaded(put(sample(), ASSIGNMENT, "properties.principalId", own))
    system = deployment.apps[0].system_identity
    assert system is not None
    assert deployment.role_assignments[0].principal_id == system.principal_id


def test_an_assigned_built_in_role_is_part_of_the_deployment(loaded: Load) -> None:
    snapshot = put(sample(), ASSIGNMENT, "properties.roleDefinitionId", SENDER_ROLE)
    names = [role.name for role in loaded(snapshot).role_definitions]
    assert names == ["encrypt", "Azure Service Bus Data Sender"]


@pytest.mark.parametrize(
    ("prefix", "scope"),
    [(KEY, KEY), (GROUP, GROUP), (SUBSCRIPTION, SUBSCRIPTION), ("", "/")],
)
def test_the_scope_of_an_assignment_stands_in_its_id(loaded: Load, prefix: str, scope: str) -> None:
    snapshot = put(sample(), ASSIGNMENT, "properties.roleDefinitionId", SENDER_ROLE)
    moved = f"{prefix}/providers/Microsoft.Authorization/roleAssignments/1"
    find(snapshot, ASSIGNMENT)["id"] = moved
    assert loaded(snapshot).role_assignments[0].scope == scope


NAME = f"guid('{KEY}', reference('{IDENTITY}', '2024-11-30').principalId, 'role')"
KIND = "Microsoft.Authorization/roleAssignments"
COMPUTED = f"[extensionResourceId('{KEY}', '{KIND}', {NAME})]"


def test_an_assignment_is_named_after_its_principal(loaded: Load) -> None:
    deployment = loaded(put(sample(), ASSIGNMENT, "id", COMPUTED))
    (assignment,) = deployment.role_assignments
    (identity,) = deployment.identities
    name = guid(KEY, identity.principal_id, "role")
    assert assignment.resource_id == f"{KEY}/providers/{KIND}/{name}"
    assert assignment.scope == KEY


def test_an_assignment_of_an_app_itself_is_named_after_it(loaded: Load) -> None:
    own = f"reference('{SITE}', '2025-03-01', 'full').identity.principalId"
    computed = f"[extensionResourceId('{KEY}', '{KIND}', guid({own}))]"
    snapshot = put(sample(), ASSIGNMENT, "properties.principalId", f"[{own}]")
    deployment = loaded(put(snapshot, ASSIGNMENT, "id", computed))
    system = deployment.apps[0].system_identity
    assert system
    name = guid(system.principal_id)
    assert deployment.role_assignments[0].resource_id == f"{KEY}/providers/{KIND}/{name}"


@pytest.mark.parametrize(
    ("at", "given", "why"),
    [
        (ASSIGNMENT, COMPUTED.replace(IDENTITY, f"{IDENTITY}2"), "not known here"),
        (ASSIGNMENT, COMPUTED.replace(".principalId", ".other"), "not known here"),
        (
            ASSIGNMENT,
            COMPUTED.replace(f"{IDENTITY}', '2024-11-30').principalId", f"{KEY}', '1').keyUri"),
            "only at run time",
        ),
        (ASSIGNMENT, COMPUTED.replace("guid(", "newGuid("), "unknown expression"),
        (ASSIGNMENT, f"[{NAME}]", "a resource id"),
        (ASSIGNMENT, COMPUTED.replace(f"'{KEY}', '{KIND}'", f"'key', '{KIND}'"), "a resource id"),
        (KEY, COMPUTED, "must be a literal"),
        (SITE, COMPUTED, "must be a literal"),
    ],
)
def test_a_computed_id_that_cannot_be_known_is_refused(
    loaded: Load, at: str, given: str, why: str
) -> None:
    with pytest.raises(DeploymentError, match=why):
        loaded(put(sample(), at, "id", given))


def test_two_assignments_of_one_computed_name_are_refused(loaded: Load) -> None:
    snapshot = put(sample(), ASSIGNMENT, "id", COMPUTED)
    snapshot["predictedResources"].append(copy.deepcopy(snapshot["predictedResources"][-1]))
    with pytest.raises(DeploymentError, match="twice"):
        loaded(snapshot)


def test_settings_are_answered_when_vaults_have_addresses(loaded: Load) -> None:
    deployment = loaded(sample())
    answered = settings_of(deployment.apps[0], {VAULT.upper(): "https://127.0.0.1:5"})
    assert answered == {
        "RELAY_APP": "sender",
        "ID": deployment.identities[0].client_id,
        "KEY": "https://127.0.0.1:5/keys/payload",
        "SECRET": "https://127.0.0.1:5/secrets/partner",
        "VAULT": "https://127.0.0.1:5/",
        "BOOL": "True",
    }


def test_the_address_of_an_app_is_where_it_is_here(loaded: Load) -> None:
    deployment = loaded(sample())
    (app,) = deployment.apps
    linked = replace(app, settings={"A": f"https://{app.name}.azurewebsites.net", "B": "https://x"})
    here = settings_of(linked, {app.resource_id: "http://127.0.0.1:6"}, [app])
    assert here == {"A": "http://127.0.0.1:6", "B": "https://x"}


SETTINGS = "properties.siteConfig.appSettings"
REFUSED: list[tuple[str, str, object, str, str]] = [
    # resource, where to change it, to what, the path the error names, part of the reason
    (IDENTITY, "properties.other", 1, "other", "does not support"),
    (IDENTITY, "extra", 1, "extra", "does not support"),
    (VAULT, "properties.other", 1, "other", "does not support"),
    (VAULT, "properties.createMode", "recover", "createMode", "only new vaults"),
    (VAULT, "properties.enableRbacAuthorization", "yes", "enableRbac", "true or false"),
    (VAULT, "properties.tenantId", None, "tenantId", "is missing"),
    (VAULT, "properties.accessPolicies.0.applicationId", "x", "applicationId", "does not support"),
    (VAULT, "properties.accessPolicies.0.tenantId", "x", "tenantId", "own tenant"),
    (VAULT, "properties.accessPolicies.0.permissions.keys", ["encyrpt"], "keys", "'encyrpt'"),
    (VAULT, "properties.accessPolicies.0.permissions.keys", "all", "keys", "an array"),
    (VAULT, "properties.accessPolicies.0.permissions.more", [], "more", "does not support"),
    (
        VAULT,
        "properties.accessPolicies.0.objectId",
        f"[reference('{VAULT}', '1').vaultUri]",
        "objectId",
        "a GUID",
    ),
    (KEY, "properties.other", 1, "other", "does not support"),
    (KEY, "properties.kty", "oct", "kty", "'oct' is not one of"),
    (KEY, "properties.kty", "EC", "keyOps", "'encrypt' is not an operation of EC"),
    (KEY, "properties.keySize", 1024, "keySize", "2048"),
    (KEY, "properties.keySize", "2048", "keySize", "whole number"),
    (KEY, "properties.keySize", True, "keySize", "whole number"),
    (KEY, "properties.keyOps", ["import"], "keyOps", "'import'"),
    (KEY, "properties.curveName", "P-256", "curveName", "does not support"),
    (KEY, "properties.attributes", {"exportable": True}, "attributes.exportable", "leaves"),
    (KEY, "id", f"{VAULT}/keys/pay_load", "", "letters, digits"),
    (KEY, "id", f"{VAULT}2/keys/payload", "", "not deployed with it"),
    (SECRET, "properties.other", 1, "other", "does not support"),
    (SECRET, "properties.attributes", {"nbf": "now"}, "attributes.nbf", "whole number"),
    (SECRET, "tags", {"a": 1}, "tags.a", "a string"),
    (KEY, "properties.rotationPolicy", {"more": 1}, "rotationPolicy.more", "does not support"),
    (
        KEY,
        "properties.rotationPolicy",
        {"attributes": {"expiryTime": "P7D"}},
        "rotationPolicy.attributes.expiryTime",
        "28 days",
    ),
    (VAULT, "properties.softDeleteRetentionInDays", 6, "softDeleteRetentionInDays", "from 7 to 90"),
    (BUS, "properties.other", 1, "other", "does not support"),
    (BUS, "sku.name", "Gold", "sku.name", "'Gold'"),
    (BUS, "sku.tier", "Premium", "sku.tier", "same as the name"),
    (BUS, "sku", {"name": "Basic", "tier": "Basic"}, "", "neither forwards"),
    (QUEUE, "properties.other", 1, "other", "does not support"),
    (QUEUE, "properties", {"requiresSession": True, "forwardTo": "other"}, "forwardTo", "sessions"),
    (QUEUE, "properties.enablePartitioning", True, "enablePartitioning", "no partitions"),
    (QUEUE, "properties.status", "Renaming", "status", "not one of Active, Disabled"),
    (QUEUE, "properties.autoDeleteOnIdle", "PT1H", "autoDeleteOnIdle", "for being idle"),
    (QUEUE, "properties.lockDuration", "PT6M", "lockDuration", "at most 5 minutes"),
    (QUEUE, "properties.lockDuration", "1 minute", "lockDuration", "not a duration"),
    (QUEUE, "properties.maxDeliveryCount", 0, "maxDeliveryCount", "from 1"),
    (QUEUE, "properties.maxMessageSizeInKilobytes", 1024, "maxMessageSize", "Premium"),
    (QUEUE, "properties.forwardTo", "nowhere", "", "forwards to nowhere"),
    (QUEUE, "properties.forwardTo", "MESSAGES", "", "forwards to MESSAGES"),
    (QUEUE, "properties.forwardDeadLetteredMessagesTo", "nowhere", "", "forwards to nowhere"),
    (
        QUEUE,
        "properties.duplicateDetectionHistoryTimeWindow",
        "PT1S",
        "duplicateDetectionHistoryTimeWindow",
        "20 seconds",
    ),
    (SITE, "properties.other", 1, "other", "does not support"),
    (SITE, "kind", "app,linux", "kind", "only function apps"),
    (SITE, "properties.enabled", False, "enabled", "disabled"),
    (SITE, "properties.clientCertEnabled", True, "clientCertEnabled", "not checked"),
    (SITE, "properties.siteConfig.cors", {}, "siteConfig.cors", "does not support"),
    (SITE, "properties.functionAppConfig.runtime.name", "node", "runtime.name", "'node'"),
    (SITE, "properties.functionAppConfig.other", 1, "functionAppConfig.other", "does not support"),
    (SITE, "identity.type", "UserAssigned, Other", "identity.type", "unknown type"),
    (SITE, "identity.type", "SystemAssigned", "identity", "contradict"),
    (SITE, "identity.userAssignedIdentities", {"/x": {}}, "/x", "not an identity of this"),
    (SITE, f"{SETTINGS}.1.name", "relay_app", "name", "given twice"),
    (SITE, f"{SETTINGS}.5.value", True, "value", "must be a string"),
    (SITE, f"{SETTINGS}.5.value", "[guid('x')]", "value", "not evaluated here"),
    (SITE, f"{SETTINGS}.5.value", "[parameters('x')]", "value", "unknown expression"),
    (
        SITE,
        f"{SETTINGS}.5.value",
        f"[reference('{KEY}').keyUriWithVersion]",
        "BOOL",
        "not known here",
    ),
    (SITE, f"{SETTINGS}.5.value", f"[reference('{BUS}').endpoint]", "BOOL", "not known here"),
    (SITE, f"{SETTINGS}.5.value", "[reference('/elsewhere').x]", "BOOL", "not known here"),
    (SITE, f"{SETTINGS}.5.value", "@Microsoft.KeyVault(SecretUri=x)", "BOOL", "not resolved"),
    (SITE, f"{SETTINGS}.5.more", 1, "appSettings[5].more", "does not support"),
    (ROLE, "properties.other", 1, "other", "does not support"),
    (ROLE, "properties.type", "BuiltInRole", "type", "'BuiltInRole'"),
    (ROLE, "properties.permissions.0.condition", "x", "condition", "does not support"),
    (ROLE, "properties.permissions.0.dataActions", [1], "dataActions[0]", "a string"),
    (
        ROLE,
        "properties.permissions",
        [{"dataActions": ["a"], "notDataActions": ["b"]}, {"dataActions": ["b"]}],
        "permissions",
        "beside other",
    ),
    (ROLE, "properties.assignableScopes", [f"{VAULT}2"], "", "cannot be assigned there"),
    (ASSIGNMENT, "properties.other", 1, "other", "does not support"),
    (ASSIGNMENT, "properties.condition", "x", "condition", "does not support"),
    (ASSIGNMENT, "properties.roleDefinitionId", f"{ROLE}b", "roleDefinitionId", "unknown role"),
    (ASSIGNMENT, "properties.principalId", "somebody", "principalId", "a GUID"),
    (ASSIGNMENT, "properties.principalId", None, "principalId", "is missing"),
    (
        ASSIGNMENT,
        "id",
        ASSIGNMENT.replace(KEY, "/providers/Microsoft.Management/managementGroups/m"),
        "",
        "in a subscription",
    ),
    (PLAN, "type", "Microsoft.KeyVault/managedHSMs", "", "is not supported here"),
    (PLAN, "id", IDENTITY.upper(), "", "twice"),
    (PLAN, "id", "[format('x')]", "id", "unknown expression"),
    (PLAN, "id", "plan", "id", "a resource id"),
]


@pytest.mark.parametrize(("at", "where", "value", "path", "why"), REFUSED)
def test_what_cannot_be_honoured_is_refused_by_name(
    loaded: Load, at: str, where: str, value: object, path: str, why: str
) -> None:
    with pytest.raises(DeploymentError) as caught:
        loaded(put(sample(), at, where, value))
    error = caught.value
    assert why in error.why
    assert path in error.path
    assert str(error.file) in str(error)
    assert error.resource in str(error)


def test_the_error_names_the_resource(loaded: Load) -> None:
    with pytest.raises(DeploymentError) as caught:
        loaded(put(sample(), QUEUE, "properties.enablePartitioning", value=True))
    assert caught.value.resource == QUEUE
    assert caught.value.path == "properties.enablePartitioning"


def test_a_queue_may_require_sessions(loaded: Load) -> None:
    found = loaded(put(sample(), QUEUE, "properties", {"requiresSession": True}))
    assert [queue.name for queue in found.namespaces[0].queues if queue.requires_session] == [
        QUEUE.rsplit("/", 1)[-1]
    ]


def test_vaults_of_two_tenants_are_refused(loaded: Load) -> None:
    snapshot = sample()
    snapshot["predictedResources"].append(resource(f"{VAULT}2", properties={"tenantId": "other"}))
    with pytest.raises(DeploymentError, match="different tenants"):
        loaded(snapshot)


def test_two_apps_of_one_name_are_refused(loaded: Load) -> None:
    snapshot = sample()
    snapshot["predictedResources"].append({**find(snapshot, SITE), "id": f"{SITE}2"})
    with pytest.raises(DeploymentError, match="RELAY_APP is that of relay-sender"):
        loaded(snapshot)


def test_an_app_without_its_name_beside_one_with_it_is_refused(loaded: Load) -> None:
    snapshot = sample()
    nameless = put(snapshot, SITE, f"{SETTINGS}.0.name", "OTHER")
    snapshot["predictedResources"].append({**find(nameless, SITE), "id": f"{SITE}2"})
    with pytest.raises(DeploymentError, match="RELAY_APP must name the app"):
        loaded(snapshot)


def test_the_apps_of_another_project_are_listed_and_not_run(loaded: Load) -> None:
    deployment = loaded(put(sample(), SITE, f"{SETTINGS}.0.name", "OTHER"))
    assert deployment.apps == ()
    assert deployment.unserved == (SITE,)
    assert [one.resource_id for one in deployment.unserved_identities] == [SITE]


def test_a_resource_of_an_unknown_type_is_listed_and_may_have_rights(loaded: Load) -> None:
    snapshot = sample()
    cache = f"{GROUP}/providers/Microsoft.Cache/redis/cache"
    snapshot["predictedResources"].append(
        resource(cache, identity={"type": "SystemAssigned"}, sku={"name": "Basic"})
    )
    principal = f"[reference('{cache}', '2024-11-01', 'full').identity.principalId]"
    deployment = loaded(put(snapshot, ASSIGNMENT, "properties.principalId", principal))
    (own,) = deployment.unserved_identities
    assert deployment.unserved == (cache,)
    assert deployment.role_assignments[0].principal_id == own.principal_id
    assert [program.name for program in deployment.programs()] == [
        *("encrypt", "relay-sender", "cache")
    ]


def test_a_part_of_an_app_that_is_run_has_to_be_known(loaded: Load) -> None:
    snapshot = sample()
    snapshot["predictedResources"].append(resource(f"{SITE}/config/appsettings"))
    with pytest.raises(DeploymentError, match=r"sites/config is not supported here"):
        loaded(snapshot)


@pytest.mark.parametrize("at", [SUBSCRIPTION, ""])
def test_a_role_that_may_be_built_in_grants_nothing_and_is_listed(loaded: Load, at: str) -> None:
    guid_of_role = "420fcaa2-552c-430f-98ca-3264be4806c7"
    role = f"{at}/providers/Microsoft.Authorization/roleDefinitions/{guid_of_role}"
    deployment = loaded(put(sample(), ASSIGNMENT, "properties.roleDefinitionId", role))
    assert deployment.unknown_roles == (guid_of_role,)
    assert (
        not Authorization(deployment)
        .decide(deployment.identities[0].principal_id, "Microsoft.KeyVault/vaults/keys/read", KEY)
        .allowed
    )


@pytest.mark.parametrize("name", ["Owner", "Contributor", "Reader", "Key Vault Contributor"])
def test_a_role_of_the_management_plane_grants_nothing_on_data(name: str) -> None:
    (role,) = (one for one in BUILT_IN.values() if one.name == name)
    assert role.data_actions == ()


Steps = tuple[str | int, ...]


def paths(value: object, at: Steps = ()) -> list[Steps]:
    inside: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    below = [path for step, inner in inside for path in paths(inner, (*at, step))]
    return [at, *below] if at else below


PATHS = paths(sample()["predictedResources"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.integers(min_value=0), ANYTHING)
def test_nothing_but_the_one_error_comes_out(loaded: Load, which: int, value: object) -> None:
    resources = sample()["predictedResources"]
    *steps, last = PATHS[which % len(PATHS)]
    at = resources
    for step in steps:
        at = at[step]
    at[last] = value
    with contextlib.suppress(DeploymentError):
        loaded({"predictedResources": resources})


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "1", "[" * 100_000, '{"predictedResources": [1]}', '{"predictedResources": 1}'],
)
def test_what_is_no_snapshot_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DeploymentError):
        load(path)


@pytest.mark.parametrize("extra", [{"more": 1}, {"diagnostics": [{"code": "Short"}]}])
def test_a_snapshot_that_may_not_be_whole_is_refused(loaded: Load, extra: Json) -> None:
    with pytest.raises(DeploymentError):
        loaded({**sample(), **extra})


OPERATOR = "00000000-0000-4000-8000-000000000100"


def test_operators_are_told_by_an_output(loaded: Load) -> None:
    said = {"operator": [OPERATOR, OPERATOR.replace("100", "101")], "nobody": []}
    (operator,) = loaded({**sample(), "outputs": {"operators": said}}).operators
    assert (operator.name, operator.identity.principal_id) == ("operator", OPERATOR)
    assert operator.system_identity == operator.identity
    assert operator.identities == ()


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("operator", "operators"),
        ({"operator": OPERATOR}, r"operators\.operator"),
        ({"operator": ["somebody"]}, r"operators\.operator\[0\]"),
        ({"operator": ["[parameters('who')]"]}, r"operators\.operator\[0\]"),
    ],
)
def test_operators_who_are_none_are_refused(loaded: Load, said: object, where: str) -> None:
    with pytest.raises(DeploymentError, match=where):
        loaded({**sample(), "outputs": {"operators": said}})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="cannot be read"):
        load(tmp_path / "none.json")


@pytest.mark.parametrize("path", sorted(INFRA.glob("*.snapshot.json")), ids=lambda path: path.stem)
def test_the_projects_own_deployments(path: Path) -> None:
    access = json.loads((INFRA / "access.json").read_text())
    deployment = load(path)
    assert {app.app for app in deployment.apps} == {app["name"] for app in access["apps"]}
    attached = [*(app.identities for app in deployment.apps)]
    attached += [machine.identities for machine in deployment.machines]
    assert set(deployment.identities) == {one for held in attached for one in held}
    assert len(deployment.vaults) == len(access["vaults"])
    assert sorted([o.name for o in deployment.operators]) == sorted(
        [o["name"] for o in access["operators"]]
    )
    (bus,) = deployment.namespaces
    assert {queue.name for queue in bus.queues} == {queue["name"] for queue in access["queues"]}
    uris = {vault.resource_id: f"https://{vault.name}/" for vault in deployment.vaults}
    for app in deployment.apps:
        assert not any(value.startswith("[") for value in settings_of(app, uris).values())


def test_what_an_app_holds_as_itself_is_known_and_opens_nothing_here() -> None:
    deployment = load(INFRA / "local.snapshot.json")
    served = ("Microsoft.KeyVault/", "Microsoft.ServiceBus/")
    roles = {role.resource_id.rpartition("/")[2]: role for role in deployment.role_definitions}
    for app in deployment.apps:
        assert app.system_identity is not None
        held = [
            roles[one.role_definition_id.rpartition("/")[2]]
            for one in deployment.role_assignments
            if one.principal_id == app.system_identity.principal_id
        ]
        names = {role.name for role in held}
        assert names == {"Storage Blob Data Owner", "Monitoring Metrics Publisher"}
        assert not any(a.startswith(served) for role in held for a in role.data_actions)


def test_telemetry_is_sent_nowhere() -> None:
    deployment = load(INFRA / "local.snapshot.json")
    for app in deployment.apps:
        assert app.settings["APPLICATIONINSIGHTS_CONNECTION_STRING"] == ""
