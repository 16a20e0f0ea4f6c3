"""Deployments that depart from the declaration, one step each, and what each step lets happen."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.pipeline.allowed import (
    ACTIONS,
    ASSIGNMENT,
    BUILT_IN,
    ROLE,
    Document,
    Grant,
    Snapshot,
    same,
    scope,
)


@dataclass(frozen=True)
class Mutation:
    """A changed deployment; `who` are the identities that the change is about."""

    name: str
    document: Document
    who: frozenset[str]


def expected(original: Snapshot, mutation: Mutation) -> set[tuple[str, *Grant]]:
    """What the proof has to say of a mutation of a deployment that is as declared."""
    before, after = original.allowed(), Snapshot(mutation.document).allowed()
    wider = {("wider", *grant) for grant in after - before}
    return wider | {("narrower", *grant) for grant in before - after}


def every(original: Snapshot) -> Iterator[Mutation]:
    """Give all of them."""
    yield from removed(original)
    yield from added(original)
    yield from wider_roles(original)
    yield from higher(original)
    yield from attached(original)


def _mutation(name: str, changed: Snapshot, *who: str) -> Mutation:
    return Mutation(name, changed.document, frozenset(who))


def _who(original: Snapshot, principal: str) -> str:
    return next(name for name, text in original.principals().items() if same(text, principal))


def removed(original: Snapshot) -> Iterator[Mutation]:
    """Each grant removed."""
    for one in original.grants():
        changed = original.copy()
        changed.remove(one["id"])
        who = _who(original, one["properties"]["principalId"])
        yield _mutation(f"remove {who} at {_short(scope(one))}", changed, who)
    for vault in original.policy_vaults():
        for policy in vault["properties"]["accessPolicies"]:
            for family, permissions in policy["permissions"].items():
                for permission in permissions:
                    changed = original.copy()
                    for one in changed.by_id[vault["id"]]["properties"]["accessPolicies"]:
                        if one["objectId"] == policy["objectId"]:
                            one["permissions"][family].remove(permission)
                    who = _who(original, policy["objectId"])
                    yield _mutation(f"forbid {who} {permission} {family}", changed, who)


def added(original: Snapshot) -> Iterator[Mutation]:
    """Each possible grant added: one action of one identity on one object."""
    allowed = original.allowed()
    by_policy = {vault["id"] for vault in original.policy_vaults()}
    for who, principal in original.principals().items():
        for kind, name, resource_id in original.objects():
            for (of, operation), action in ACTIONS.items():
                if of != kind or (who, kind, name, operation) in allowed:
                    continue
                changed = original.copy()
                vault = resource_id.rsplit("/", 2)[0]
                if vault in by_policy:
                    changed.permit(principal, vault, f"{kind}s", operation)
                else:
                    changed.assign(principal, action, resource_id)
                yield _mutation(f"add {who} {operation} {kind} {name}", changed, who)


def wider_roles(
    original: Snapshot, actions: Sequence[str] = tuple(ACTIONS.values())
) -> Iterator[Mutation]:
    """Each role one action wider: custom ones as they are, built-in ones by one more beside."""
    for role in original.of_type(ROLE):
        holders = [
            _who(original, one["properties"]["principalId"])
            for one in original.grants()
            if one["properties"]["roleDefinitionId"].endswith(role["name"])
        ]
        for action in actions if holders else ():
            if action not in role["properties"]["permissions"][0].get("dataActions", []):
                changed = original.copy()
                properties = changed.by_id[role["id"]]["properties"]
                properties["permissions"][0].setdefault("dataActions", []).append(action)
                yield _mutation(f"let {properties['roleName']} {action}", changed, *holders)
    for one in original.grants():
        if one["properties"]["roleDefinitionId"].rpartition("/")[2] in BUILT_IN:
            for operation in ("send", "receive"):
                action = ACTIONS["queue", operation]
                if not any(fnmatchcase(action, held) for held in original.permitted(one)):
                    changed = original.copy()
                    principal = one["properties"]["principalId"]
                    changed.assign(principal, action, scope(one))
                    who = _who(original, principal)
                    yield _mutation(
                        f"let {who} {operation} too: {_short(scope(one))}", changed, who
                    )


def higher(original: Snapshot) -> Iterator[Mutation]:
    """Each assignment higher: at the vault or the namespace, and at the group."""
    for one in original.grants():
        for place in (scope(one).rsplit("/", 2)[0], original.group):
            changed = original.copy()
            changed.remove(one["id"])
            moved = copy.deepcopy(one)
            moved["name"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{one['id']}{place}"))
            moved["id"] = f"{place}/providers/{ASSIGNMENT}/{moved['name']}"
            changed.add(moved)
            who = _who(original, one["properties"]["principalId"])
            name = f"{who} from {_short(scope(one))} to {_short(place)}"
            yield _mutation(f"raise {name}", changed, who)


def attached(original: Snapshot) -> Iterator[Mutation]:
    """Each identity attached to each other app."""
    for identity in original.of_type("Microsoft.ManagedIdentity/userAssignedIdentities"):
        for app, site in original.sites().items():
            if identity["id"] not in site["identity"]["userAssignedIdentities"]:
                changed = original.copy()
                there = changed.by_id[site["id"]]["identity"]["userAssignedIdentities"]
                there[identity["id"]] = {}
                who = identity["id"].rpartition("/")[2].removesuffix("-local")
                yield _mutation(f"attach {who} to {app}", changed, who)


def _short(resource_id: str) -> str:
    return "/".join(resource_id.rsplit("/", 2)[-2:])
