"""Managed identities: the user-assigned ones, and those of apps themselves."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from local.deployment.resource_id import last, normal
from local.deployment.resources import Identity, Operator
from local.deployment.snapshot import SnapshotObject, SnapshotResource

KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NAMESPACE = uuid.UUID("6f1c7a52-2f0e-4a57-9c0e-6f5c1d9e7b11")


@dataclass(frozen=True)
class Attached:
    """The identities of one app."""

    user_assigned: tuple[Identity, ...]
    system_assigned: Identity | None


def read(resource: SnapshotResource) -> Identity:
    """Read a user-assigned identity."""
    resource.properties.ignore("isolationScope")
    resource.reject_unread()
    return _identity(resource.id)


def attached(resource: SnapshotResource, known: dict[str, Identity]) -> Attached:
    """Read the `identity` of a resource; `known` has the identities by normal resource id."""
    block = resource.envelope.body("identity")
    kinds = [kind.strip().lower() for kind in block.text("type", "None").split(",")]
    for kind in kinds:
        if kind not in ("none", "systemassigned", "userassigned"):
            raise (block.found_at / "type").error(f"unknown type of identity {kind!r}")
    users = block.body("userAssignedIdentities")
    ids = [name for name, _ in users.rest()]
    block.reject_unread()
    if bool(ids) != ("userassigned" in kinds):
        raise block.found_at.error("type and userAssignedIdentities contradict each other")
    for resource_id in ids:
        if normal(resource_id) not in known:
            raise (users.found_at / resource_id).error("is not an identity of this deployment")
    user_assigned = tuple(sorted((known[normal(i)] for i in ids), key=lambda i: i.name))
    return Attached(user_assigned, _identity(resource.id) if "systemassigned" in kinds else None)


def own_identity(resource: SnapshotResource) -> Attached:
    """Return the system-assigned identity of a resource that is not read any further."""
    block = resource.envelope.peek("identity")
    kinds = str(block.get("type", "")).lower() if isinstance(block, dict) else ""
    return Attached((), _identity(resource.id) if "systemassigned" in kinds else None)


def operators(output: SnapshotObject) -> Iterator[Operator]:
    """Read who the operators are: the output `operators`, name -> object ids.

    An operator may be several principals with the same rights; here the first represents them.
    """
    for name in output.names():
        for position, principal in enumerate(output.texts(name)):
            if not GUID.fullmatch(principal):
                raise (output.found_at / name / position).error("must be an object id, a GUID")
            if position == 0:
                identity = Identity(f"/operators/{name}", name, principal, principal)
                yield Operator(name, identity)


def _identity(resource_id: str) -> Identity:
    return Identity(
        resource_id,
        last(resource_id),
        principal_id=_stable_id(resource_id, "principalId"),
        client_id=_stable_id(resource_id, "clientId"),
    )


def _stable_id(resource_id: str, what: str) -> str:
    # The same in every run, so that ids that a user noted stay valid.
    return str(uuid.uuid5(_NAMESPACE, f"{normal(resource_id)}#{what}"))
