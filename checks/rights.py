"""Who may do what in a deployment: the rights that its roles and access policies give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from checks.roles import BUILT_IN, permitted
from checks.snapshot import (
    PredictedResource,
    Snapshot,
    of_type,
    operators,
    place,
    properties,
    render,
)
from local.resource_manager import role_assignments
from local.resource_manager.role_assignments import role_name


@dataclass(frozen=True, order=True)
class Right:
    """`who` may do `action` on `where` and on everything below it."""

    who: str
    action: str
    where: str

    def __str__(self) -> str:
        return f"{self.who} may {self.action} on {self.where}"


def _principals(snapshot: Snapshot, value: str) -> list[str]:
    """Name whose a principal id is: an identity, an app, or each operator that has it."""
    named = [name for name, ids in operators(snapshot).items() if value in ids]
    who = render(snapshot, value).removeprefix("principalId of identities/")
    return named or [who.removeprefix("identity.principalId of ")]


def rights(snapshot: Snapshot) -> frozenset[Right]:
    """Return every effective right: from roles, and from policies in vaults that use policies."""
    return frozenset(_counting(snapshot))


def given_twice(snapshot: Snapshot) -> Iterator[Right]:
    """Yield the rights that somebody has twice: taking one away would leave the other."""
    yield from (right for right, count in Counter(_counting(snapshot)).items() if count > 1)


def _counting(snapshot: Snapshot) -> Iterator[Right]:
    by_policy = {place(snapshot, vault["id"]) for vault in _vaults(snapshot) if not _by_role(vault)}
    for right in _assigned(snapshot):
        if not any(covers(vault, right.where) for vault in by_policy):
            yield right
    yield from _from_policies(snapshot)


_WIDEST = ("group", "subscription")


def covers(scope: str, where: str) -> bool:
    """Return whether what holds at a scope holds at a place, too."""
    return scope == where or where.startswith(f"{scope}/") or scope in _WIDEST


def without_effect(snapshot: Snapshot) -> Iterator[str]:
    """Name what a vault's mode switches off today and another mode would switch on."""
    for vault in _vaults(snapshot):
        here = place(snapshot, vault["id"])
        if _by_role(vault) and properties(vault).get("accessPolicies"):
            yield f"{here} goes by roles and has access policies"
        if not _by_role(vault):
            for right in sorted(_assigned(snapshot)):
                if covers(here, right.where):
                    yield f"{here} goes by access policies, yet by a role {right}"


def _vaults(snapshot: Snapshot) -> list[PredictedResource]:
    return of_type(snapshot, "Microsoft.KeyVault/vaults")


def _by_role(vault: PredictedResource) -> bool:
    """Return a vault's mode: by default roles, as in Azure from 2026 on."""
    return properties(vault).get("enableRbacAuthorization") is not False


def scope_of(assignment: PredictedResource) -> str:
    """Return the scope that a role is assigned at.

    An id that is none of an assignment's is its own scope, which nobody is granted anything at.
    """
    return role_assignments.scope_of(assignment["id"]) or assignment["id"]


def _assigned(snapshot: Snapshot) -> Iterator[Right]:
    for assignment in of_type(snapshot, role_assignments.TYPE):
        given = properties(assignment)
        principals = _principals(snapshot, given["principalId"])
        where = place(snapshot, scope_of(assignment))
        limit = f" if {given['condition']}" if given.get("condition") else ""
        for action in _role(snapshot, given["roleDefinitionId"]):
            yield from (Right(who, action + limit, where) for who in principals)


def _role(snapshot: Snapshot, role_id: str) -> frozenset[str]:
    """Return what a role permits; a role that is neither deployed nor known permits its own id."""
    for role in of_type(snapshot, "Microsoft.Authorization/roleDefinitions"):
        if role_name(role["id"]) == role_name(role_id):
            return permitted(properties(role)["permissions"])
    known = BUILT_IN.get(role_name(role_id))
    return frozenset({f"what role {role_id} permits"}) if known is None else permitted(known)


_POLICY_ACTIONS = {
    "get": "read",
    "wrapkey": "wrap/action",
    "unwrapkey": "unwrap/action",
    "delete": "delete",
}


_SECRET_ACTIONS = {"get": "getSecret", "set": "setSecret", "list": "readMetadata"}


def _from_policies(snapshot: Snapshot) -> Iterator[Right]:
    for vault in _vaults(snapshot):
        if _by_role(vault):
            continue
        for policy in properties(vault).get("accessPolicies", []):
            for who in _principals(snapshot, policy["objectId"]):
                for family, granted in policy["permissions"].items():
                    yield from _policy(snapshot, vault, who, family, granted)


_SEE_KEYS = frozenset({"get", "list"})


def half_given(snapshot: Snapshot) -> Iterator[tuple[Right, str]]:
    """Yield each right to see keys that lacks one of the two permissions it is, and which.

    A policy splits what one data action permits: who may only get a key cannot list its versions.
    """
    for vault in _vaults(snapshot):
        for policy in [] if _by_role(vault) else properties(vault).get("accessPolicies", []):
            given = _SEE_KEYS & {one.lower() for one in policy["permissions"].get("keys", [])}
            if len(given) == 1:
                (lacking,) = _SEE_KEYS - given
                for who in _principals(snapshot, policy["objectId"]):
                    for right in _policy(snapshot, vault, who, "keys", sorted(given)):
                        yield right, lacking


def _policy(
    snapshot: Snapshot, vault: PredictedResource, who: str, family: str, granted: list[str]
) -> Iterator[Right]:
    """Reach every object of a policy's family in the vault, or the vault itself without any."""
    held = of_type(snapshot, f"Microsoft.KeyVault/vaults/{family}")
    inside = [r["id"] for r in held if r["id"].lower().startswith(vault["id"].lower() + "/")]
    # Once: to get and to list a key are two permissions and one data action.
    for action in dict.fromkeys(_policy_action(family, one.lower()) for one in granted):
        for reached in inside or [vault["id"]]:
            yield Right(who, action, place(snapshot, reached))


def _policy_action(family: str, permission: str) -> str:
    if family == "secrets" and permission in _SECRET_ACTIONS:
        return f"Microsoft.KeyVault/vaults/secrets/{_SECRET_ACTIONS[permission]}/action"
    if family == "keys" and permission == "list":
        permission = "get"  # policies split what one data action permits
    action = _POLICY_ACTIONS.get(permission, f"{permission}/action")
    return f"Microsoft.KeyVault/vaults/{family}/{action}"
