"""What takes more than one value to be refused: whole deployments with a fault in them."""

from __future__ import annotations

import copy
from collections.abc import Callable

from tests.unit.local.resource_manager.faults import STORAGE
from tests.unit.local.resource_manager.planting import (
    BUS,
    IDENTITY,
    KEY,
    QUEUE,
    SENDER,
    Json,
    add,
    another,
    put,
    resource,
    snapshot,
)


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


def edited(ending: str, *changes: tuple[str, object], name: str = "local.snapshot.json") -> Json:
    document = snapshot(name)
    for path, value in changes:
        put(resource(document, ending), path, value)
    return document


def _circle() -> Json:
    document = edited("queues/messages", ("forwardTo", "retries"))
    put(resource(document, "queues/retries"), "forwardTo", "messages")
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
    "units in Standard": (edited(BUS, ("/sku.capacity", 1)), "sku.capacity", "BadRequest"),
    "three units": (
        edited(BUS, ("/sku.capacity", 3), name="local-private.snapshot.json"),
        "sku.capacity",
        "BadRequest",
    ),
    "a large message in Standard": (
        edited(QUEUE, ("maxMessageSizeInKilobytes", 1024)),
        "maxMessageSizeInKilobytes",
        "BadRequest",
    ),
    "an express queue in Premium": (
        edited(QUEUE, ("enableExpress", True), name="local-private.snapshot.json"),
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
        edited(BUS, ("/sku", {"name": "Standard", "tier": "Standard"}), name=PRIVATE),
        "privateLinkServiceConnections",
        "BadRequest",
    ),
    "a circle of forwards": (
        _circle(),
        "forwardTo",
        "BadRequest",
    ),
    "sessions and a forward": (
        edited("queues/retries", ("requiresSession", True), ("forwardTo", "messages")),
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
        edited(KEY, ("kty", "EC"), ("keySize", None), ("curveName", "P-256")),
        "keyOps[0]",
        "BadParameter",
    ),
    "a curve that is none": (
        edited(KEY, ("kty", "EC"), ("keySize", None), ("curveName", "P-1"), ("keyOps", ["sign"])),
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
