"""What another deployment may change in a cloud that is up: who may do what, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TypeVar

from local.deployment.resources import AppSpec, Deployment, MachineSpec

_Attached = TypeVar("_Attached", AppSpec, MachineSpec)


def beyond_permissions(before: Deployment, after: Deployment) -> Sequence[str]:
    """Return which parts of a deployment differ in more than rights and attached identities."""
    was, becomes = _without_permissions(before), _without_permissions(after)
    names = [one.name for one in fields(was)]
    return [name for name in names if getattr(was, name) != getattr(becomes, name)]


def _without_permissions(deployment: Deployment) -> Deployment:
    return replace(
        deployment,
        vaults=tuple(replace(one, uses_rbac=True, policies=()) for one in deployment.vaults),
        apps=tuple(_attached_to_nobody(one) for one in deployment.apps),
        machines=tuple(_attached_to_nobody(one) for one in deployment.machines),
        role_definitions=(),
        role_assignments=(),
        ignored=(),
    )


def _attached_to_nobody(spec: _Attached) -> _Attached:
    return replace(spec, identities=(), system_identity=None)
