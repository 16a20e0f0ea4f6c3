"""What Azure refuses of a first deployment is named where it is planted, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.resource_manager.first import RULES, refusals
from local.resource_manager.flex_lists import HARMFUL_SETTINGS, PROPERTIES, SETTINGS
from local.resource_manager.template import Template
from tests.unit.local.resource_manager.planting import (
    ACCOUNT,
    BUS,
    CONTAINER,
    GONE,
    IDENTITY,
    KEY,
    PLAN,
    POLICY,
    QUEUE,
    SECRET,
    SENDER,
    SERVER,
    SNAPSHOTS,
    VAULT,
    Json,
    Planted,
    add,
    another,
    put,
    resource,
    setting,
    snapshot,
)

FLEX = "BadRequest 51021"
SCALE = "functionAppConfig.scaleAndConcurrency"
STORAGE = "functionAppConfig.deployment.storage"
ROTATION = "rotationPolicy.lifetimeActions"
DATABASE = "InvalidParameterValue"

PLANTED = (
    *(Planted(SENDER, f"siteConfig.{name}", "x", FLEX) for name in PROPERTIES),
    *(Planted(SENDER, name, "x", FLEX) for name in PROPERTIES),
    Planted(SENDER, "siteConfig.FTPSSTATE", "FtpsOnly", FLEX, "siteConfig.ftpsState"),
    Planted(SENDER, "siteConfig.ftpsState", "Disabled", FLEX),
    Planted(SENDER, "functionAppConfig", GONE, "BadRequest"),
    Planted(SENDER, f"{SCALE}.maximumInstanceCount", 0, "InvalidMaximumInstanceCount"),
    Planted(SENDER, f"{SCALE}.maximumInstanceCount", 1001, "InvalidMaximumInstanceCount"),
    Planted(SENDER, f"{SCALE}.maximumInstanceCount", "40", "InvalidMaximumInstanceCount"),
    Planted(SENDER, f"{SCALE}.instanceMemoryMB", 1024, "BadRequest"),
    Planted(SENDER, f"{SCALE}.triggers.http.perInstanceConcurrency", 1001, "BadRequest"),
    *(
        Planted(SENDER, f"{SCALE}.alwaysReady", [entry], "BadRequest", f"{SCALE}.alwaysReady[0]")
        for entry in (
            {"name": "https", "instanceCount": 1},
            {"name": "function:", "instanceCount": 1},
            {"name": "http", "instanceCount": 4},
            {"name": "http", "instanceCount": -1},
        )
    ),
    Planted(
        SENDER,
        f"{SCALE}.alwaysReady",
        [{"name": "http", "instanceCount": 1}, {"name": "HTTP", "instanceCount": 1}],
        "BadRequest",
        f"{SCALE}.alwaysReady[1]",
    ),
    Planted(SENDER, "functionAppConfig.runtime.name", "ruby", "BadRequest"),
    Planted(SENDER, "functionAppConfig.runtime.version", "3.9", "InternalServerError at start"),
    Planted(SENDER, "functionAppConfig.runtime.version", "3", "InternalServerError at start"),
    Planted(SENDER, f"{STORAGE}.type", "fileShare", "BadRequest"),
    Planted(SENDER, f"{STORAGE}.value", "/subscriptions/x/storageAccounts/y", "BadRequest"),
    Planted(SENDER, f"{STORAGE}.value", "https://senderlocal.blob.core.windows.net", "BadRequest"),
    Planted(SENDER, f"{STORAGE}.authentication.type", "SharedKey", "BadRequest"),
    Planted(
        SENDER,
        f"{STORAGE}.authentication",
        {"type": "StorageAccountConnectionString", "storageAccountConnectionStringName": "NONE"},
        "BadRequest",
        f"{STORAGE}.authentication.storageAccountConnectionStringName",
    ),
    Planted(
        SENDER,
        f"{STORAGE}.authentication",
        {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": "/not/attached"},
        "BadRequest",
        f"{STORAGE}.authentication.userAssignedIdentityResourceId",
    ),
    Planted(SENDER, "functionAppConfig.siteUpdateStrategy.type", "BlueGreen", "BadRequest"),
    Planted(PLAN, "reserved", GONE, "BadRequest"),
    Planted(POLICY, "/location", GONE, "BadRequest 51008"),
    Planted(VAULT, "enablePurgeProtection", False, "BadRequest"),
    Planted(VAULT, "enableSoftDelete", False, "BadRequest"),
    Planted(VAULT, "softDeleteRetentionInDays", 6, "VaultSoftDeleteRetentionDaysNotValid"),
    Planted(VAULT, "softDeleteRetentionInDays", 91, "VaultSoftDeleteRetentionDaysNotValid"),
    Planted(VAULT, "sku", {"family": "B", "name": "standard"}, "BadRequest"),
    Planted(VAULT, "tenantId", GONE, "BadRequest"),
    Planted(VAULT, "accessPolicies", [{"objectId": str(n)} for n in range(1025)], "BadRequest"),
    Planted(KEY, "kty", "oct", "BadParameter"),
    Planted(KEY, "kty", "RSA-HSM", "BadParameter"),
    Planted(KEY, "keySize", 1024, "BadParameter"),
    Planted(KEY, "keySize", "3072", "BadParameter"),
    Planted(KEY, "keyOps", ["encrypt", "Seal"], "BadParameter", "keyOps[1]"),
    Planted(KEY, "attributes.exportable", True, "BadParameter"),
    Planted(KEY, ROTATION, GONE, "InvalidKeyRotationPolicy"),
    Planted(
        KEY,
        "rotationPolicy",
        {"attributes": {"expiryTime": "P20D"}, "lifetimeActions": []},
        "InvalidKeyRotationPolicy",
        "rotationPolicy.attributes.expiryTime",
    ),
    *(
        Planted(
            KEY,
            ROTATION,
            [{"action": {"type": kind}, "trigger": trigger}],
            "InvalidKeyRotationPolicy",
            f"{ROTATION}[0]",
        )
        for kind, trigger in (
            ("renew", {"timeAfterCreate": "P90D"}),
            ("notify", {"timeAfterCreate": "P90D"}),
            ("rotate", {"timeAfterCreate": "P6D"}),
            ("rotate", {"timeAfterCreate": "P2Y"}),
            ("rotate", {}),
            ("rotate", {"timeAfterCreate": "P90D", "timeBeforeExpiry": "P30D"}),
        )
    ),
    Planted(SECRET, "value", "x" * 25_601, "BadParameter"),
    Planted(BUS, "/sku", {"name": "Gold"}, "BadRequest", "sku"),
    Planted(BUS, "/sku", {"name": "Standard", "tier": "Basic"}, "BadRequest", "sku"),
    Planted(QUEUE, "lockDuration", "PT5M1S", "BadRequest"),
    Planted(QUEUE, "lockDuration", "PT1S", "BadRequest"),
    Planted(QUEUE, "lockDuration", "1 minute", "BadRequest"),
    Planted(QUEUE, "maxDeliveryCount", 0, "BadRequest"),
    Planted(QUEUE, "maxDeliveryCount", 2001, "BadRequest"),
    Planted(QUEUE, "duplicateDetectionHistoryTimeWindow", "PT19S", "BadRequest"),
    Planted(QUEUE, "duplicateDetectionHistoryTimeWindow", "P8D", "BadRequest"),
    Planted(QUEUE, "autoDeleteOnIdle", "PT4M", "BadRequest"),
    Planted(QUEUE, "defaultMessageTimeToLive", "PT0.5S", "BadRequest"),
    Planted(QUEUE, "maxSizeInMegabytes", 1000, "BadRequest"),
    Planted(QUEUE, "maxMessageSizeInKilobytes", 200_000, "BadRequest"),
    Planted("queues/retries", "forwardTo", "nowhere", "BadRequest"),
    Planted("queues/rejected", "forwardDeadLetteredMessagesTo", "rejected", "BadRequest"),
    Planted("queues/retries", "requiresSession", True, "BadRequest", "forwardTo"),
    Planted(SERVER, "storage.storageSizeGB", 50, DATABASE),
    Planted(SERVER, "storage.storageSizeGB", GONE, DATABASE),
    Planted(SERVER, "storage.autoGrow", True, DATABASE),
    Planted(SERVER, "version", "9.6", DATABASE),
    Planted(SERVER, "version", 17, DATABASE),
    Planted(SERVER, "/sku.tier", "GeneralPurpose", DATABASE, "sku"),
    Planted(SERVER, "/sku.name", "Standard_D2ds_v5", DATABASE, "sku"),
    Planted(SERVER, "highAvailability.mode", "ZoneRedundant", DATABASE),
    Planted(SERVER, "highAvailability.mode", "Always", DATABASE),
    Planted(SERVER, "backup.backupRetentionDays", 6, DATABASE),
    Planted(SERVER, "backup.backupRetentionDays", 36, DATABASE),
    *(
        Planted(SERVER, "administratorLogin", name, DATABASE)
        for name in ("admin", "Root", "azure_superuser", "pg_me", "x" * 64, GONE)
    ),
    Planted(SERVER, "authConfig.passwordAuth", "Disabled", DATABASE, "authConfig"),
    Planted(ACCOUNT, "/kind", "StorageV9", "InvalidValuesForRequestParameters"),
    Planted(ACCOUNT, "/sku.name", "Standard_XRS", "InvalidValuesForRequestParameters"),
    Planted(CONTAINER, "publicAccess", "Blob", "PublicAccessNotPermitted"),
    Planted(IDENTITY, "/location", GONE, "LocationRequired"),
    Planted(SENDER, "/tags", {"a/b": "c"}, "InvalidTagNameCharacters", "tags.a/b"),
    Planted(SENDER, "/tags", {"a": "c" * 257}, "InvalidTagNameCharacters", "tags.a"),
    Planted(KEY, "/tags", {str(n): "" for n in range(16)}, "InvalidTagNameCharacters", "tags"),
)

GOOD: tuple[tuple[str, str, object], ...] = (
    *((SENDER, f"{SCALE}.maximumInstanceCount", n) for n in (1, 40, 1000)),
    *((SENDER, f"{SCALE}.instanceMemoryMB", n) for n in (512, 2048, 4096)),
    (SENDER, f"{SCALE}.triggers.http.perInstanceConcurrency", 1000),
    (SENDER, f"{SCALE}.alwaysReady", [{"name": "http", "instanceCount": 3}]),
    (SENDER, f"{SCALE}.alwaysReady", [{"name": "function:send", "instanceCount": 0}]),
    *((SENDER, "functionAppConfig.runtime.version", f"3.{n}") for n in range(10, 15)),
    (SENDER, "functionAppConfig.runtime", {"name": "node", "version": "22"}),
    *(
        (SENDER, "functionAppConfig.siteUpdateStrategy.type", kind)
        for kind in ("Recreate", "RollingUpdate")
    ),
    (SENDER, f"{STORAGE}.value", "https://senderlocal.blob.core.usgovcloudapi.net/packages"),
    (SENDER, f"{STORAGE}.value", "[reference('x', 'y').endpoint]"),
    (SENDER, f"{STORAGE}.authentication", {"type": "SystemAssignedIdentity"}),
    (SENDER, "siteConfig.minTlsVersion", "1.3"),
    (SENDER, "siteConfig.http20Enabled", True),
    (SENDER, "siteConfig.cors", {"allowedOrigins": []}),
    (SENDER, "siteConfig.healthCheckPath", "/api/health"),
    (SENDER, "siteConfig.ipSecurityRestrictions", []),
    (SENDER, "siteConfig.ftpsState", None),
    (SENDER, "reserved", True),
    (SENDER, "clientCertEnabled", False),
    (VAULT, "enablePurgeProtection", None),
    (VAULT, "enableRbacAuthorization", False),
    *((VAULT, "softDeleteRetentionInDays", n) for n in (7, 90)),
    (VAULT, "sku", {"family": "A", "name": "Premium"}),
    *((KEY, "keySize", n) for n in (2048, 4096, None)),
    (KEY, "keyOps", ["sign", "verify", "wrapKey", "unwrapKey"]),
    (KEY, "rotationPolicy", None),
    (KEY, ROTATION, []),
    (KEY, ROTATION, [{"action": {"type": "Rotate"}, "trigger": {"timeBeforeExpiry": "P30D"}}]),
    (SECRET, "value", "x" * 25_600),
    (SECRET, "attributes.exp", None),
    *((QUEUE, "lockDuration", text) for text in ("PT5S", "PT5M", "PT30S")),
    *((QUEUE, "maxDeliveryCount", n) for n in (1, 2000)),
    *((QUEUE, "duplicateDetectionHistoryTimeWindow", text) for text in ("PT20S", "P7D")),
    *((QUEUE, "maxSizeInMegabytes", n) for n in (1024, 5120)),
    (QUEUE, "defaultMessageTimeToLive", "P10675199DT2H48M5.4775807S"),
    (QUEUE, "requiresSession", True),
    (BUS, "minimumTlsVersion", "1.3"),
    *((SERVER, "storage.storageSizeGB", n) for n in (32, 64, 4096, 32767)),
    (SERVER, "storage", {"storageSizeGB": 50, "type": "PremiumV2_LRS"}),
    *((SERVER, "version", str(n)) for n in range(13, 19)),
    (SERVER, "/sku", {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}),
    (SERVER, "/sku", {"name": "Standard_E4ads_v5", "tier": "MemoryOptimized"}),
    (SERVER, "administratorLogin", "relay_admin"),
    (SERVER, "authConfig", {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled"}),
    *((ACCOUNT, "/sku.name", f"Standard_{copies}") for copies in ("ZRS", "GRS", "RAGZRS")),
    (CONTAINER, "publicAccess", None),
    (SENDER, "/location", "West Europe"),
    (SENDER, "/tags", {"hidden-link: /app": None}),
)

NAMES = (
    (VAULT, "a2", "VaultNameNotValid"),
    (VAULT, "1vault", "VaultNameNotValid"),
    (VAULT, "two--hyphens", "VaultNameNotValid"),
    (VAULT, "ends-", "VaultNameNotValid"),
    (VAULT, "a" * 25, "VaultNameNotValid"),
    (KEY, "under_score", "BadParameter"),
    (KEY, "k" * 128, "BadParameter"),
    (SECRET, "full.stop", "BadParameter"),
    (BUS, "short", "BadRequest"),
    (BUS, "1digits", "BadRequest"),
    (BUS, "relay-bus-sb", "BadRequest"),
    (BUS, "b" * 51, "BadRequest"),
    ("queues/receipts", "-hyphen", "BadRequest"),
    ("queues/receipts", "q" * 261, "BadRequest"),
    (ACCOUNT, "Capital", "AccountNameInvalid"),
    (ACCOUNT, "with-hyphen", "AccountNameInvalid"),
    (ACCOUNT, "a" * 25, "AccountNameInvalid"),
    (CONTAINER, "Packages", "ContainerOperationFailure"),
    (CONTAINER, "p-", "ContainerOperationFailure"),
    (SENDER, "-relay", "BadRequest"),
    (SENDER, "r" * 61, "BadRequest"),
    (PLAN, "p" * 61, "BadRequest"),
    (SERVER, "Relay", "InvalidServerName"),
    (SERVER, "db", "InvalidServerName"),
    (f"{SERVER}/databases/relay", "1relay", "InvalidDatabaseName"),
    (IDENTITY, "ab", "InvalidResourceName"),
    ("workspaces/relay-local", "abc", "InvalidResourceName"),
    ("components/relay-local", "a%b", "InvalidResourceName"),
    ("resourceGroups/relay-local", "group.", "InvalidResourceGroup"),
)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_nothing_is_refused_of_our_own(name: str) -> None:
    assert refusals(snapshot(name)) == []


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_what_is_planted_is_named_and_nothing_else(planted: Planted) -> None:
    (refusal,) = refusals(planted.planted(snapshot()))
    assert refusal.resource.endswith(planted.ending)
    assert (refusal.path, refusal.code) == (planted.place, planted.code)
    assert refusal.source
    assert refusal.what


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_it_is_named_in_every_deployment(name: str) -> None:
    document = snapshot(name)
    for planted in PLANTED:
        # What a namespace may have depends on its tier, in which the deployments differ.
        if planted.ending == BUS or planted.path.startswith("maxMessage"):
            continue
        found = refusals(planted.planted(document))
        assert [(one.path, one.code) for one in found] == [(planted.place, planted.code)], planted


@pytest.mark.parametrize(("ending", "path", "value"), GOOD, ids=str)
def test_what_azure_takes_is_not_refused(ending: str, path: str, value: object) -> None:
    document = snapshot()
    put(resource(document, ending), path, value)
    assert refusals(document) == []


@pytest.mark.parametrize(("ending", "name", "code"), NAMES)
def test_a_name_that_azure_refuses(ending: str, name: str, code: str) -> None:
    def rename(one: Json) -> None:
        one["id"] = one["id"].rpartition("/")[0] + "/" + name

    found = refusals(another(snapshot(), ending, rename))
    assert ("name", code) in [(one.path, one.code) for one in found if one.resource.endswith(name)]


@pytest.mark.parametrize("name", [*SETTINGS, *HARMFUL_SETTINGS, "Functions_Worker_Runtime"])
def test_a_setting_is_named_wherever_it_is_made(name: str) -> None:
    (refusal,) = refusals(setting(snapshot(), name))
    assert refusal.path.endswith(f"({name})")
    config = {
        "id": f"{resource(snapshot(), SENDER)['id']}/config/appsettings",
        "type": "Microsoft.Web/sites/config",
        "properties": {name: "x", "RELAY_APP": "sender"},
    }
    (refusal,) = refusals(add(snapshot(), config))
    assert (refusal.resource, refusal.path) == (config["id"], name)


def test_a_property_is_named_in_the_configuration_beside_the_site() -> None:
    config = {
        "id": f"{resource(snapshot(), SENDER)['id']}/config/web",
        "type": "Microsoft.Web/sites/config",
        "properties": {"ftpsState": "Disabled", "minTlsVersion": "1.2"},
    }
    assert [one.path for one in refusals(add(snapshot(), config))] == ["ftpsState"]


@pytest.mark.parametrize("name", ["A:B", "A B", "Ä"])
def test_a_setting_whose_name_azure_refuses(name: str) -> None:
    (refusal,) = refusals(setting(snapshot(), name))
    assert "__ for :" in refusal.what


def test_a_setting_given_twice() -> None:
    (refusal,) = refusals(setting(snapshot(), "relay_app"))
    assert refusal.what == "the setting is given twice"


def test_an_app_on_another_plan_is_free_to_have_all_of_it() -> None:
    document = snapshot()
    put(resource(document, PLAN), "/sku", {"name": "EP1", "tier": "ElasticPremium"})
    site = resource(document, SENDER)
    put(site, "functionAppConfig", GONE)
    for name in PROPERTIES:
        put(site, f"siteConfig.{name}", "x")
    for name in SETTINGS:
        document = setting(document, name)
    assert refusals(document) == []


def test_an_app_whose_plan_is_elsewhere_is_judged_by_its_own_word() -> None:
    document = snapshot()
    put(resource(document, SENDER), "serverFarmId", "/subscriptions/x/serverfarms/elsewhere")
    put(resource(document, SENDER), "siteConfig.alwaysOn", False)
    assert [one.path for one in refusals(document)] == ["siteConfig.alwaysOn"]


def _second_app(one: Json) -> None:
    one["id"] += "2"


def _no_system_identity(one: Json) -> None:
    one["identity"]["type"] = "UserAssigned"
    put(one, f"{STORAGE}.authentication", {"type": "SystemAssignedIdentity"})


def _slot(document: Json) -> Json:
    slot = {
        "id": f"{resource(document, SENDER)['id']}/slots/x",
        "type": "Microsoft.Web/sites/slots",
    }
    return add(document, slot)


def _changed(ending: str, change: Callable[[Json], None]) -> Json:
    document = snapshot()
    change(resource(document, ending))
    return document


def _put(ending: str, *changes: tuple[str, object], name: str = "local.snapshot.json") -> Json:
    document = snapshot(name)
    for path, value in changes:
        put(resource(document, ending), path, value)
    return document


def _of(kind: str, name: str = "local.snapshot.json") -> tuple[Json, Json]:
    document = snapshot(name)
    found = [one for one in document["predictedResources"] if one["type"].endswith(kind)]
    return document, found[0]


def _edited(kind: str, path: str, value: object, name: str = "local.snapshot.json") -> Json:
    document, first = _of(kind, name)
    put(first, path, value)
    return document


def _renamed(kind: str, to: str, name: str = "local.snapshot.json") -> Json:
    document, first = _of(kind, name)
    made = copy.deepcopy(first)
    made["id"] = f"{first['id'].rpartition('/')[0]}/{to}"
    return add(document, made)


def _assignment(document: Json, name: str, **properties: object) -> Json:
    """Give an assignment to a principal outside, at a queue."""
    role = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
    queue = resource(document, QUEUE)["id"]
    return {
        "id": f"{queue}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": "00000000-0000-4000-8000-0000000000aa",
            **properties,
        },
    }


ONE, TWO = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))
PRIVATE = "local-private.snapshot.json"
MACHINES = "machines.snapshot.json"
MACHINE = "Compute/virtualMachines"


def _elsewhere(document: Json) -> Json:
    made = _assignment(document, ONE)
    made["id"] = made["id"].replace("queues/messages", "queues/retries")
    return made


def _identity_of(document: Json) -> str:
    return f"[reference('{resource(document, IDENTITY)['id']}', '2024-11-30').principalId]"


# What takes more than one value to go wrong: the snapshot, and where Azure's code then points to.
TOGETHER: dict[str, tuple[Json, str, str]] = {
    "two apps on a plan": (another(snapshot(), SENDER, _second_app), "serverFarmId", "BadRequest"),
    "a slot": (_slot(snapshot()), "", "BadRequest"),
    "no identity for the package": (
        _changed(SENDER, _no_system_identity),
        f"{STORAGE}.authentication.type",
        "BadRequest",
    ),
    "a policy of another name": (
        _renamed("CredentialsPolicies", "web"),
        "name",
        "BadRequest 51008",
    ),
    "units in Standard": (_put(BUS, ("/sku.capacity", 1)), "sku.capacity", "BadRequest"),
    "three units": (
        _put(BUS, ("/sku.capacity", 3), name="local-premium.snapshot.json"),
        "sku.capacity",
        "BadRequest",
    ),
    "a large message in Standard": (
        _put(QUEUE, ("maxMessageSizeInKilobytes", 1024)),
        "maxMessageSizeInKilobytes",
        "BadRequest",
    ),
    "an express queue in Premium": (
        _put(QUEUE, ("enableExpress", True), name="local-premium.snapshot.json"),
        "enableExpress",
        "BadRequest",
    ),
    "rules in Standard": (
        add(
            snapshot(),
            {
                "id": f"{resource(snapshot(), BUS)['id']}/networkRuleSets/default",
                "type": "Microsoft.ServiceBus/namespaces/networkRuleSets",
            },
        ),
        "",
        "BadRequest",
    ),
    "a private endpoint to Standard": (
        _put(BUS, ("/sku", {"name": "Standard", "tier": "Standard"}), name=PRIVATE),
        "privateLinkServiceConnections",
        "BadRequest",
    ),
    "a circle of forwards": (
        _put("queues/messages", ("forwardTo", "retries")),
        "forwardTo",
        "BadRequest",
    ),
    "a subnet that is not delegated": (
        _edited(
            "Network/virtualNetworks", "subnets", [{"name": "apps", "properties": {}}], PRIVATE
        ),
        "virtualNetworkSubnetId",
        "BadRequest",
    ),
    "an EC key that encrypts": (
        _put(KEY, ("kty", "EC"), ("keySize", None), ("curveName", "P-256")),
        "keyOps[0]",
        "BadParameter",
    ),
    "a curve that is none": (
        _put(KEY, ("kty", "EC"), ("keySize", None), ("curveName", "P-1"), ("keyOps", ["sign"])),
        "curveName",
        "BadParameter",
    ),
    "a rule of no addresses": (
        _edited("firewallRules", "startIpAddress", "10.0.0.256"),
        "startIpAddress",
        "InvalidParameterValue",
    ),
    "blob services of another name": (_renamed("blobServices", "x"), "name", "InvalidResourceName"),
    "a role without scopes": (
        _edited("roleDefinitions", "assignableScopes", []),
        "assignableScopes",
        "MissingAssignableScopes",
    ),
    "a role for everything": (
        _edited("roleDefinitions", "assignableScopes", ["/"]),
        "assignableScopes[0]",
        "MissingAssignableScopes",
    ),
    "a role without a name": (_edited("roleDefinitions", "roleName", ""), "roleName", "BadRequest"),
    "a role twice": (
        _renamed("roleDefinitions", ONE),
        "roleName",
        "RoleDefinitionWithSameNameExists",
    ),
    "a role of no action": (
        _edited("roleDefinitions", "permissions", [{"dataActions": ["read secrets"]}]),
        "permissions[0].dataActions",
        "InvalidActionOrNotAction",
    ),
    "a role of a name that is no GUID": (
        _renamed("roleDefinitions", "reader"),
        "name",
        "InvalidRoleDefinitionId",
    ),
    "a grant twice": (
        add(snapshot(), _assignment(snapshot(), ONE), _assignment(snapshot(), TWO)),
        "",
        "RoleAssignmentExists",
    ),
    "an assignment of a name that is no GUID": (
        add(snapshot(), _assignment(snapshot(), "sender")),
        "name",
        "InvalidRoleAssignmentId",
    ),
    "a name for two scopes": (
        add(snapshot(), _assignment(snapshot(), ONE), _elsewhere(snapshot())),
        "name",
        "RoleAssignmentUpdateNotPermitted",
    ),
    "a new principal without a type": (
        add(snapshot(), _assignment(snapshot(), ONE, principalId=_identity_of(snapshot()))),
        "principalType",
        "PrincipalNotFound",
    ),
    "an assignment to nobody": (
        add(snapshot(), _assignment(snapshot(), ONE, principalId="")),
        "principalId",
        "InvalidRequestContent",
    ),
    "a machine of root": (
        _edited(MACHINE, "osProfile.adminUsername", "root", MACHINES),
        "osProfile.adminUsername",
        "InvalidParameter",
    ),
    "a machine with a long name": (
        _edited(MACHINE, "osProfile.computerName", "m" * 65, MACHINES),
        "osProfile.computerName",
        "InvalidParameter",
    ),
    "a machine without a key": (
        _edited(MACHINE, "osProfile.linuxConfiguration.ssh.publicKeys", [], MACHINES),
        "osProfile.linuxConfiguration.ssh",
        "InvalidParameter",
    ),
    "a network of a bad name": (
        _renamed("Network/virtualNetworks", "-x", PRIVATE),
        "name",
        "InvalidResourceName",
    ),
    "an endpoint of a bad name": (
        _renamed("Network/privateEndpoints", "-x", PRIVATE),
        "name",
        "InvalidResourceName",
    ),
    "a firewall of a bad name": (
        _renamed("firewallRules", "-x"),
        "name",
        "InvalidFirewallRuleName",
    ),
    "a machine of a bad name": (_renamed(MACHINE, "-x", MACHINES), "name", "InvalidParameter"),
    "a card of a bad name": (
        _renamed("networkInterfaces", "-x", MACHINES),
        "name",
        "InvalidResourceName",
    ),
    "a security group of a bad name": (
        _renamed("networkSecurityGroups", "-x", MACHINES),
        "name",
        "InvalidResourceName",
    ),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_what_goes_wrong_together(case: str) -> None:
    document, path, code = TOGETHER[case]
    assert (path, code) in [(one.path, one.code) for one in refusals(document)]


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("forwardTo", "rejected", "forwardTo"),
        ("requiresDuplicateDetection", True, "requiresDuplicateDetection"),
        ("requiresSession", True, "requiresSession"),
        ("defaultMessageTimeToLive", "P15D", "defaultMessageTimeToLive"),
    ],
)
def test_what_the_basic_tier_does_not_have(name: str, value: object, path: str) -> None:
    document = snapshot()
    put(resource(document, BUS), "/sku", {"name": "Basic", "tier": "Basic"})
    for one in document["predictedResources"]:
        if one["type"].endswith("/queues"):
            one["properties"] = {"defaultMessageTimeToLive": "P14D"}
    assert refusals(document) == []
    put(resource(document, QUEUE), name, value)
    assert path in [one.path for one in refusals(document)]


def test_every_rule_has_a_planted_fault() -> None:
    def rename(to: str) -> Callable[[Json], None]:
        def change(one: Json) -> None:
            one["id"] = one["id"].rpartition("/")[0] + "/" + to

        return change

    base = snapshot()
    basic = _put(BUS, ("/sku", {"name": "Basic", "tier": "Basic"}))
    documents = [
        *(planted.planted(base) for planted in PLANTED),
        *(setting(base, name) for name in (*SETTINGS, *HARMFUL_SETTINGS, "A:B", "relay_app")),
        *(another(base, ending, rename(name)) for ending, name, _ in NAMES),
        *(document for document, _, _ in TOGETHER.values()),
        basic,
    ]
    templates = [Template(document) for document in documents]
    without = [
        (rule.code, rule.source)
        for rule in RULES
        if not any(list(rule.refusals(template)) for template in templates)
    ]
    assert without == []


def test_every_rule_has_a_source_and_a_code() -> None:
    assert len(RULES) > 100
    assert all(rule.source and rule.code for rule in RULES)


def test_a_refusal_reads_as_a_sentence_with_place_code_and_source() -> None:
    (refusal,) = refusals(Planted(SENDER, "siteConfig.ftpsState", "x", FLEX).planted(snapshot()))
    assert str(refusal).startswith("Microsoft.Web/sites/relay-sender-local: siteConfig.ftpsState: ")
    assert str(refusal).endswith("21032; Azure/azure-cli 31414)")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(JSON)
def test_whatever_it_is_given_it_does_not_fail(document: object) -> None:
    refusals(document)
    refusals({"predictedResources": document, "outputs": document})


@given(st.data())
def test_whatever_stands_in_a_resource_it_does_not_fail(data: st.DataObject) -> None:
    document = snapshot()
    one = data.draw(st.sampled_from(document["predictedResources"]))
    paths = [f"/{name}" for name in one if name not in ("id", "type")]
    paths += list(one.get("properties", {}))
    if paths:
        put(one, data.draw(st.sampled_from(paths)), data.draw(JSON))
    refusals(json.loads(json.dumps(document)))
