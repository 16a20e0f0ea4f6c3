"""The names of the principals of a deployment."""

from __future__ import annotations

from collections.abc import Mapping

from local.deployment.resources import Deployment

# The settings that name an app's own identities, and all identities, to it.
_SETTINGS = ("RELAY_ACCESS_IDENTITY_", "RELAY_IDENTITY_")


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


def _names(deployment: Deployment) -> dict[str, str]:
    return {
        str(value).lower(): name.removeprefix(family).lower()
        for family in _SETTINGS
        for app in deployment.apps
        for name, value in app.settings.items()
        if name.startswith(family)
    }
