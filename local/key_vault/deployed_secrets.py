"""What a deployment writes into a secret that may have a value already."""

from __future__ import annotations

import secrets

from local.deployment.resources import SecretSpec
from local.key_vault.store import SecretVersion


def to_write(
    spec: SecretSpec, newest: SecretVersion | None, known: str | None, *, changed: bool
) -> str | None:
    """Give the value of the version that a deployment makes of a secret; None if it makes none.

    `newest` is what the secret has, `known` what Relay would have there; `changed` if the
    deployment has something else of it than the one before. A secret that is made once is the
    operator's, whom the local cloud stands in for until somebody sets it: what was set stays. Any
    other is the deployment's, which makes a version of it where anything differs.

    Source: Azure/azure-resource-manager-schemas 1494 and Azure/bicep 6448: the same value with the
    same parameters makes no new version.
    """
    if newest is None:
        return known or secrets.token_urlsafe(32)
    if spec.made_once:
        return None if not newest.deployed or known in (None, newest.value) else known
    # What a deployment gives a secret that Relay does not know is not known here at all.
    value = known or newest.value
    return value if changed or value != newest.value else None
