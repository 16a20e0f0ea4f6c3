"""Taking away what principals may do, and giving it back: pure, from a deployment to another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from local.resources import Deployment

_SETTING = "RELAY_IDENTITY_"


def principals(deployment: Deployment) -> Mapping[str, str]:
    """Return the principal ids of identities, by the names that apps call them, and of operators.

    An identity that no app has a name for goes by its own.
    """
    named = _names(deployment)
    identities = {
        named.get(identity.client_id.lower(), identity.name): identity.principal_id
        for identity in deployment.identities
    }
    operators = {one.name: one.identity.principal_id for one in deployment.operators}
    return identities | operators


def without(deployment: Deployment, taken: Collection[str]) -> Deployment:
    """Return the deployment without role assignments and policies of the principals in `taken`."""
    gone = {principal.lower() for principal in taken}
    assignments = (a for a in deployment.role_assignments if a.principal_id.lower() not in gone)
    vaults = (
        replace(v, policies=tuple(p for p in v.policies if p.principal_id.lower() not in gone))
        for v in deployment.vaults
    )
    return replace(deployment, role_assignments=tuple(assignments), vaults=tuple(vaults))


def _names(deployment: Deployment) -> dict[str, str]:
    return {
        str(value).lower(): name.removeprefix(_SETTING).lower()
        for app in deployment.apps
        for name, value in app.settings.items()
        if name.startswith(_SETTING)
    }
