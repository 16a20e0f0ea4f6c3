"""The value that a deployment writes to a secret, which may have one already."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from local.deployment.resources import SecretSpec
from local.key_vault.objects import SecretVersion


def to_write(
    spec: SecretSpec, versions: Sequence[SecretVersion], known: str | None, *, changed: bool
) -> str | None:
    """Return the value of the version that a deployment makes of a secret; None if it makes none.

    `versions` are those that the secret has, oldest first; `known` is the value that the local
    cloud makes for it; `changed` if the deployment differs from the one before in anything else.
    A version is made where the deployment's value is another one than a deployment wrote last, so
    what a user set meanwhile stays. A secret that is made once is the operator's, in whose place
    the local cloud sets it first: it is not written again after an operator did.

    Source: Azure/azure-resource-manager-schemas 1494 and Azure/bicep 6448: the same value with the
    same parameters makes no new version.
    """
    given = spec.value if known is None else known
    if not versions:
        return given if given is not None else secrets.token_urlsafe(32)
    newest = versions[-1]
    if spec.made_once:
        return None if not newest.deployed or given in (None, newest.value) else given
    deployed = next((one for one in reversed(versions) if one.deployed), None)
    if given is not None and (deployed is None or given != deployed.value):
        return given if given != newest.value or changed else None
    # Other content type, tags or attributes are a new version of what the secret holds.
    return newest.value if changed else None
