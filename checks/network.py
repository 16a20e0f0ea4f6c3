"""How a deployment is reached, held to what it says of itself: public or private."""

from __future__ import annotations

from collections.abc import Iterator

from checks.machines import NETWORK
from checks.resource_types import BUS, DATABASE, SITE, STORAGE, VAULT
from checks.snapshot import PredictedResource, Snapshot, at, of_type, place

ZONE = "Microsoft.Network/privateDnsZones"
ENDPOINT = "Microsoft.Network/privateEndpoints"
TYPES = (ZONE, f"{ZONE}/virtualNetworkLinks", ENDPOINT, f"{ENDPOINT}/privateDnsZoneGroups")
"""What a private deployment has beside a virtual network."""

# Which part of a resource an endpoint leads to, and the zone by which clients find it (Azure
# Private Endpoint private DNS zone values).
_PARTS = {
    VAULT: ("vault", "privatelink.vaultcore.azure.net"),
    BUS: ("namespace", "privatelink.servicebus.windows.net"),
    STORAGE: ("blob", "privatelink.blob.core.windows.net"),
    DATABASE: ("postgresqlServer", "privatelink.postgres.database.azure.com"),
}
_FIREWALLED = (VAULT, STORAGE)


def exposures(snapshot: Snapshot) -> Iterator[str]:
    """Name what can be reached that should not, and what private endpoints do not lead to."""
    rules = of_type(snapshot, f"{DATABASE}/firewallRules")
    if snapshot["outputs"].get("DEPLOYED_NETWORK") == "private":
        yield from _private(snapshot)
        yield from (f"{place(snapshot, rule['id'])} opens a private database" for rule in rules)
    else:
        for kind in TYPES:
            for resource in of_type(snapshot, kind):
                yield f"{place(snapshot, resource['id'])} is in a public deployment"
        yield from _widely(snapshot, rules)


def _private(snapshot: Snapshot) -> Iterator[str]:
    found = {
        (target, part, zone) for target, part, zone in _led(snapshot) if zone in _linked(snapshot)
    }
    for kind, (part, zone) in _PARTS.items():
        for resource in of_type(snapshot, kind):
            here = place(snapshot, resource["id"])
            if _access(resource) != "Disabled":
                yield f"{here} is reached from everywhere"
            if kind in _FIREWALLED and at(resource, "networkAcls.defaultAction") != "Deny":
                yield f"{here} has an open firewall"
            if at(resource, "networkAcls.ipRules"):
                yield f"{here} lets addresses in"
            if (resource["id"].lower(), part, zone) not in found:
                yield f"{here} has no private endpoint that is found by its name"
    inside = set(_for_apps(snapshot))
    for site in of_type(snapshot, SITE):
        if str(at(site, "virtualNetworkSubnetId")).lower() not in inside:
            yield f"{place(snapshot, site['id'])} is in no subnet for apps"


def _access(resource: PredictedResource) -> object:
    path = "network.publicNetworkAccess" if resource["type"] == DATABASE else "publicNetworkAccess"
    return at(resource, path)


def _led(snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
    """Give what each endpoint leads to, which part of it, and the zone that has its name."""
    zones: dict[str, str] = {}
    for group in of_type(snapshot, f"{ENDPOINT}/privateDnsZoneGroups"):
        named_after = group["id"].lower().rpartition("/privatednszonegroups/")[0]
        for named in at(group, "privateDnsZoneConfigs") or []:
            zones[named_after] = named["properties"]["privateDnsZoneId"].rpartition("/")[2].lower()
    for endpoint in of_type(snapshot, ENDPOINT):
        for connection in at(endpoint, "privateLinkServiceConnections") or []:
            given = connection["properties"]
            for part in given["groupIds"]:
                target = given["privateLinkServiceId"].lower()
                yield target, part, zones.get(endpoint["id"].lower(), "")


def _linked(snapshot: Snapshot) -> set[str]:
    """Give the zones that the network with the apps in it asks for names."""
    subnets = [str(at(site, "virtualNetworkSubnetId")).lower() for site in of_type(snapshot, SITE)]
    networks = {subnet.rpartition("/subnets/")[0] for subnet in subnets}
    return {
        link["name"].rpartition("/")[0].lower()
        for link in of_type(snapshot, f"{ZONE}/virtualNetworkLinks")
        if str(at(link, "virtualNetwork.id")).lower() in networks
    }


def _for_apps(snapshot: Snapshot) -> Iterator[str]:
    for network in of_type(snapshot, NETWORK):
        for subnet in at(network, "subnets") or []:
            delegations = subnet["properties"].get("delegations", [])
            names = [delegation["properties"]["serviceName"] for delegation in delegations]
            if "Microsoft.App/environments" in names:
                yield f"{network['id']}/subnets/{subnet['name']}".lower()


def _widely(snapshot: Snapshot, rules: list[PredictedResource]) -> Iterator[str]:
    """Let a public database be reached from Azure itself, which has this rule for a name."""
    for rule in rules:
        if {at(rule, "startIpAddress"), at(rule, "endIpAddress")} != {"0.0.0.0"}:  # noqa: S104 - no socket is bound: Azure's name for itself
            yield f"{place(snapshot, rule['id'])} opens the database"
