"""Variables of the platform that an app's clients follow, and which of their values are refused.

The Azure SDKs and Python read them by themselves; none has a switch for that.
"""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL

from shared.standards.addresses import is_local, is_private

# Where `azure.identity` asks for tokens, in the order in which it looks.
_ENDPOINTS = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")


def environment_problems(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with them, a line each, without a value."""
    problems = [
        f"{name} must be a URL of this machine, of its link or of a private network: the secret "
        "header that goes there, and the tokens that come back, are in clear"
        for name in _ENDPOINTS
        if environ.get(name) and not _stays_on_the_platform(environ[name])
    ]
    if environ.get("SSLKEYLOGFILE"):
        problems.append("SSLKEYLOGFILE must not be set: TLS would write its keys into that file")
    return problems


def _stays_on_the_platform(url: str) -> bool:
    try:
        # As the SDK's HTTP client reads it, so that the host is the one that it connects to.
        host = URL(url).host or ""
    except ValueError:
        return False
    return is_local(host) or is_private(host)
