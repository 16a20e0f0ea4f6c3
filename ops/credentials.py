"""As whom the commands work: an operator of the local cloud, or whoever is signed in to Azure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from shared.azure.identities import managed_identity

_RETRIES = 3
# Where a credential of the default chain may ask for a token without leaving the machine.
_ENDPOINTS = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
_DIRECT = ("localhost", "127.0.0.1", "169.254.169.254")


def operator_credential(
    *, is_local: bool, user_agent: str | None = None
) -> ManagedIdentityCredential | DefaultAzureCredential:
    """Return the credential of an operator.

    Who works in a local cloud may be signed in to Azure too, which does not count here.
    """
    if is_local:
        return managed_identity(retries=_RETRIES, user_agent=user_agent)
    # Signing in to Azure may need the proxy of the environment; the identity endpoints that the
    # chain tries as well are sent a secret header in clear, so they are excepted from it.
    os.environ.update(without_proxy(os.environ))
    more = {"user_agent": user_agent} if user_agent else {}
    return DefaultAzureCredential(**more)


def without_proxy(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables that except identity endpoints from every proxy of `environ`."""
    named = [urlsplit(environ.get(name, "")).hostname for name in _ENDPOINTS]
    given = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    hosts = [*given.split(","), *_DIRECT, *(host for host in named if host)]
    value = ",".join(dict.fromkeys(host.strip() for host in hosts if host.strip()))
    # Programs differ in which of the two they read first.
    return {"no_proxy": value, "NO_PROXY": value}
