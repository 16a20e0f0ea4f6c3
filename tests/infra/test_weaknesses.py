"""Whatever is weaker, or more open, than it has to be is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checks.network import ENDPOINT, ZONE

from checks.access import load as load_access
from checks.differences import differences
from checks.machines import NETWORK
from checks.resource_types import ALERT, BUS, DATABASE, KEY, SECRET, SITE, STORAGE, VAULT
from checks.snapshot import PredictedResource, Snapshot, of_type
from checks.snapshot import load as load_snapshot
from checks.variants import VARIANTS, mismatches

INFRA = Path(__file__).resolve().parents[2] / "infra"
ACCESS = load_access(INFRA / "access.json")
OPEN_RULE: PredictedResource = {
    "id": "",
    "type": f"{DATABASE}/firewallRules",
    "name": "relay-local/all",
    "properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"},  # noqa: S104 - a planted mistake
}


def snapshot(name: str) -> Snapshot:
    return load_snapshot(INFRA / f"{name}.snapshot.json")


def the(made: Snapshot, kind: str, part: str) -> PredictedResource:
    found = [resource for resource in of_type(made, kind) if part in resource["id"]]
    assert len(found) == 1, [resource["id"] for resource in found]
    return found[0]


def put(resource: PredictedResource, path: str, value: object) -> None:
    """Set the property at a path; None takes it away."""
    *steps, last = path.split(".")
    at: Any = resource["properties"]
    for step in steps:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    if value is None:
        del at[last]
    else:
        at[last] = value


def found(made: Snapshot) -> list[str]:
    return [str(difference) for difference in differences(ACCESS, made)]


PAYLOAD, PARTNER = "vaults/payload/keys/payload", "vaults/partner/secrets/partner-connection"
FTP = "Microsoft.Web/sites/basicPublishingCredentialsPolicies"
IN_DATABASE = "vaults/database/secrets/database-connection"
STORING = "functionAppConfig.deployment.storage"
ROTATION = "rotationPolicy.lifetimeActions.0.action.type"
SECURE = "databases/relay does not hold to require_secure_transport = on"
FILLS = "databases/relay fills its disk without an alert"
CRITERION = "criteria.allOf.0"
CONTAINER = f"{STORAGE}/blobServices/containers"
BLOBS = "storages/sender/blobservices/default/containers/packages"

WEAKER: dict[str, tuple[str, str, str, object, str]] = {
    # what is planted: kind, which one, where, what, and what it is called
    "purge protection off": (VAULT, "payload", "enablePurgeProtection", None, "can be purged"),
    "soft delete off": (VAULT, "payload", "enableSoftDelete", False, "forgets at once"),
    "vault open to Azure": (VAULT, "payload", "networkAcls.bypass", "AzureServices", "pass its"),
    "vault for deployments": (VAULT, "payload", "enabledForTemplateDeployment", True, "gives"),
    "key exportable": (KEY, "payload", "attributes.exportable", True, f"{PAYLOAD} can be exported"),
    "key can sign": (KEY, "payload", "keyOps", ["encrypt", "decrypt", "sign"], "can sign"),
    "key can everything": (KEY, "payload", "keyOps", None, f"{PAYLOAD} can everything"),
    "key never rotated": (KEY, "payload", ROTATION, "notify", f"{PAYLOAD} is never rotated"),
    "key without end": (KEY, "payload", "attributes.exp", None, f"{PAYLOAD} never expires"),
    "secret without end": (SECRET, "partner", "attributes.exp", None, f"{PARTNER} never expires"),
    "secret in the open": (SECRET, "database-c", "value", "postgresql://", "anybody can read"),
    "secret of no type": (SECRET, "partner", "contentType", None, "does not say what it is"),
    "local auth on": (BUS, "relay", "disableLocalAuth", False, "bus/relay takes shared keys"),
    "old TLS of the bus": (BUS, "relay", "minimumTlsVersion", "1.0", "bus/relay takes old TLS"),
    "storage keys on": (STORAGE, "sender", "allowSharedKeyAccess", True, "takes shared keys"),
    "public blob allowed": (STORAGE, "sender", "allowBlobPublicAccess", True, "can have public"),
    "public blob": (CONTAINER, "sender", "publicAccess", "Blob", f"{BLOBS} has public blobs"),
    "storage by http": (STORAGE, "sender", "supportsHttpsTrafficOnly", False, "without TLS"),
    "http allowed": (SITE, "sender", "httpsOnly", False, "apps/sender answers without TLS"),
    "old TLS of an app": (SITE, "sender", "siteConfig.minTlsVersion", "1.0", "takes old TLS"),
    "package by key": (SITE, "sender", f"{STORING}.authentication.type", "x", "as somebody else"),
    "package of another": (SITE, "sender", f"{STORING}.value", "https://x", "from elsewhere"),
    "basic auth on": (
        FTP,
        "sender-local/basicPublishingCredentialsPolicies/scm",
        "allow",
        True,
        "takes a password",
    ),
    "telemetry from anybody": (
        "Microsoft.Insights/components",
        "relay",
        "DisableLocalAuth",
        False,
        "anybody",
    ),
    "no workspace": (
        "Microsoft.Insights/components",
        "relay",
        "WorkspaceResourceId",
        "x",
        "no workspace",
    ),
    "no audit": (
        "Microsoft.Insights/diagnosticSettings",
        "payload",
        "logs",
        [],
        "keeps no audit log",
    ),
    "disk that grows": (DATABASE, "relay", "storage.autoGrow", "Enabled", "grows, and no deploy"),
    "disk that may grow": (DATABASE, "relay", "storage.autoGrow", None, "grows, and no deployment"),
    "alert off": (ALERT, "relay", "enabled", False, FILLS),
    "alert of another": (ALERT, "relay", "scopes", ["/x"], FILLS),
    "alert too late": (ALERT, "relay", f"{CRITERION}.threshold", 90, FILLS),
    "alert upside down": (ALERT, "relay", f"{CRITERION}.operator", "LessThan", FILLS),
    "alert on something else": (ALERT, "relay", f"{CRITERION}.metricName", "cpu_percent", FILLS),
    "database without TLS": (
        f"{DATABASE}/configurations",
        "require_secure",
        "value",
        "OFF",
        SECURE,
    ),
    "password in the open": (
        DATABASE,
        "relay",
        "administratorLoginPassword",
        "x",
        "anybody can read",
    ),
}


@pytest.mark.parametrize("planted", WEAKER)
def test_a_weakness_is_named(planted: str) -> None:
    kind, part, path, value, called = WEAKER[planted]
    made = snapshot("local")
    put(the(made, kind, part), path, value)
    (named,) = found(made)
    assert called in named


def test_an_app_without_a_policy_on_passwords_is_named() -> None:
    made = snapshot("local")
    policy = the(made, FTP, "sender-local/basicPublishingCredentialsPolicies/ftp")
    made["predictedResources"].remove(policy)
    assert found(made) == ["undeclared: apps/sender takes a password for ftp"]


Change = Callable[[Snapshot], None]


def reached_from_everywhere(made: Snapshot) -> None:
    put(the(made, VAULT, "payload"), "publicNetworkAccess", "Enabled")


def open_firewall(made: Snapshot) -> None:
    put(the(made, VAULT, "payload"), "networkAcls.defaultAction", "Allow")


def an_address_let_in(made: Snapshot) -> None:
    put(the(made, VAULT, "payload"), "networkAcls.ipRules", [{"value": "203.0.113.4/32"}])


def open_database(made: Snapshot) -> None:
    put(the(made, DATABASE, "relay"), "network.publicNetworkAccess", "Enabled")


def open_storage(made: Snapshot) -> None:
    put(the(made, STORAGE, "sender"), "networkAcls.defaultAction", "Allow")


def lost_endpoint(made: Snapshot) -> None:
    made["predictedResources"].remove(the(made, ENDPOINT, "privateEndpoints/bus-"))


def endpoint_to_another_part(made: Snapshot) -> None:
    where = "privateLinkServiceConnections.0.properties.groupIds"
    put(the(made, ENDPOINT, "privateEndpoints/storage-sender-"), where, ["file"])


def unlinked_zone(made: Snapshot) -> None:
    link = the(made, f"{ZONE}/virtualNetworkLinks", "privatelink.servicebus")
    made["predictedResources"].remove(link)


def app_outside(made: Snapshot) -> None:
    put(the(made, SITE, "sender"), "virtualNetworkSubnetId", None)


def subnet_for_others(made: Snapshot) -> None:
    put(the(made, NETWORK, "relay"), "subnets.0.properties.delegations", [])


def open_rule(made: Snapshot) -> None:
    server = the(made, DATABASE, "relay")["id"]
    made["predictedResources"].append({**OPEN_RULE, "id": f"{server}/firewallRules/all"})


UNFOUND = "has no private endpoint that is found by its name"
OPENED: list[tuple[Change, tuple[str, ...]]] = [
    (reached_from_everywhere, ("vaults/payload is reached from everywhere",)),
    (open_firewall, ("vaults/payload has an open firewall",)),
    (an_address_let_in, ("vaults/payload lets addresses in",)),
    (open_database, ("databases/relay is reached from everywhere",)),
    (open_storage, ("storages/sender has an open firewall",)),
    (lost_endpoint, (f"bus/relay {UNFOUND}",)),
    (endpoint_to_another_part, (f"storages/sender {UNFOUND}",)),
    (unlinked_zone, (f"bus/relay {UNFOUND}",)),
    (app_outside, ("apps/sender is in no subnet for apps",)),
    (
        subnet_for_others,
        tuple(f"apps/{app} is in no subnet for apps" for app in ("receiver", "sender", "tracker")),
    ),
    (open_rule, ("databases/relay/firewallrules/all opens a private database",)),
]


@pytest.mark.parametrize(("change", "called"), OPENED, ids=lambda v: getattr(v, "__name__", ""))
def test_an_opening_of_a_private_network_is_named(change: Change, called: tuple[str, ...]) -> None:
    made = snapshot("local-private")
    change(made)
    assert found(made) == [f"undeclared: {what}" for what in called]


def test_a_public_database_is_open_to_azure_alone() -> None:
    made = snapshot("local")
    open_rule(made)
    expected = "undeclared: databases/relay/firewallrules/all opens the database"
    assert found(made) == [expected]


def test_a_private_endpoint_in_a_public_deployment_is_named() -> None:
    made = snapshot("local")
    made["predictedResources"].append(the(snapshot("local-private"), ENDPOINT, "bus-"))
    (named,) = found(made)
    assert named.endswith("privateEndpoints/bus-local is in a public deployment")


def renamed(name: str) -> list[str]:
    return sorted(mismatches(name, snapshot("local")))


def test_a_snapshot_of_another_choice_than_its_name_is_named() -> None:
    assert renamed("local") == []
    assert renamed("local-private") == [
        "namespace relay-local is not Premium",
        "the network is not private",
    ]
    assert [line.rpartition(" by ")[2] for line in renamed("local-policies")] == [
        "accessPolicies"
    ] * 3
    assert renamed("spare") == ["spare is named after no choice"]


def test_every_choice_has_a_snapshot() -> None:
    names = {path.name.removesuffix(".snapshot.json") for path in INFRA.glob("*.snapshot.json")}
    assert set(VARIANTS) == names
