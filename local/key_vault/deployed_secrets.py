"""The value that a deployment writes to a secret, which may have one already."""

from __future__ import annotations

import secrets

from local.deployment.resources import SecretSpec
from local.key_vault.store import SecretVersion


def to_write(
    spec: SecretSpec, newest: SecretVersion | None, known: str | None, *, changed: bool
) -> str | None:
    """Return the value of the version that a deployment makes of a secret; None if it makes none.

    `newest` is the version that the secret has, `known` the value that the local cloud makes for
    it; `changed` if the deployment differs from the one before in it. A secret that is made once is
    the operator's, in whose place the local cloud sets it first: what an operator set stays. Any
    other is the deployment's, which makes a version of it where anything differs.

    Source: Azure/azure-resource-manager-schemas 1494 and Azure/bicep 6448: the same value with the
    same parameters makes no new version.
    """
    if newest is None:
        return known or secrets.token_urlsafe(32)
    if spec.made_once:
        return None if not newest.deployed or known in (None, newest.value) else known
    # The value that a deployment gives to any other secret is not in a snapshot.
    value = known or newest.value
    return value if changed or value != newest.value else None
