"""The choices that a deployment has, and which ones its snapshot is named after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from checks.resource_types import BUS, VAULT
from checks.snapshot import Snapshot, at, of_type


class Variant(NamedTuple):
    """How vaults decide, how everything is reached, and the tier of the bus."""

    authorization: str
    network: str
    tier: str


VARIANTS = {
    "local": Variant("rbac", "public", "Standard"),
    "local-premium": Variant("rbac", "public", "Premium"),
    "local-private": Variant("rbac", "private", "Premium"),
    "local-policies": Variant("accessPolicies", "public", "Standard"),
    "local-policies-premium": Variant("accessPolicies", "public", "Premium"),
    "local-policies-private": Variant("accessPolicies", "private", "Premium"),
    "machines": Variant("rbac", "public", "Standard"),
    "machines-private": Variant("rbac", "private", "Premium"),
}
"""Every supported choice by the name of its snapshot; private endpoints take the Premium tier."""


def mismatches(name: str, snapshot: Snapshot) -> Iterator[str]:
    """Name each vault, namespace and statement that is not of the choice in the name."""
    choice = VARIANTS.get(name)
    if choice is None:
        yield f"{name} is named after no choice"
        return
    for vault in of_type(snapshot, VAULT):
        if at(vault, "enableRbacAuthorization") is not (choice.authorization == "rbac"):
            yield f"vault {vault['name']} does not decide by {choice.authorization}"
    for namespace in of_type(snapshot, BUS):
        if namespace.get("sku", {}).get("name") != choice.tier:
            yield f"namespace {namespace['name']} is not {choice.tier}"
    if snapshot["outputs"].get("DEPLOYED_NETWORK") != choice.network:
        yield f"the network is not {choice.network}"
